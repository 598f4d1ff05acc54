package poller_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// provider answers as the test says, and notes what it was asked.
type provider struct {
	answer func(ctx context.Context, n int, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) // n counts from 1, per invoice

	mu      sync.Mutex
	asked   map[string]int
	all     []seqr.GetPaymentStatus
	changed chan struct{} // closed with each question
}

func newProvider(answer func(context.Context, int, seqr.GetPaymentStatus) (seqr.PaymentStatus, error)) *provider {
	return &provider{answer: answer, asked: map[string]int{}, changed: make(chan struct{})}
}

// spy passes every question on to the sandbox.
func spy(c *seqr.Client) *provider {
	return newProvider(func(ctx context.Context, _ int, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
		return c.GetPaymentStatus(ctx, r)
	})
}

// always gives the same answer.
func always(s seqr.InvoiceStatus, err error) *provider {
	return newProvider(func(context.Context, int, seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
		return seqr.PaymentStatus{Status: s, ErsReference: "ers"}, err
	})
}

func coded(c seqr.ResultCode) error {
	return &seqr.Error{Operation: "getPaymentStatus", Sent: seqr.Answered, Code: c}
}

func (p *provider) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	p.mu.Lock()
	p.asked[r.InvoiceReference]++
	p.all = append(p.all, r)
	n, answer := p.asked[r.InvoiceReference], p.answer
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	return answer(ctx, n, r)
}

func (p *provider) CommitReservation(context.Context, seqr.CommitReservation) error { return nil }

func (p *provider) become(answer func(context.Context, int, seqr.GetPaymentStatus) (seqr.PaymentStatus, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *provider) times(reference string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[reference]
}

// await waits until the invoice was asked about n times.
func (p *provider) await(t *testing.T, reference string, n int) {
	t.Helper()
	patience := time.After(rig.Patience)
	for {
		p.mu.Lock()
		have, changed := p.asked[reference], p.changed
		p.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-patience:
			t.Fatalf("asked about %s %d times; want %d", reference, have, n)
		}
	}
}

func (p *provider) questions() []seqr.GetPaymentStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]seqr.GetPaymentStatus(nil), p.all...)
}

func config(r *rig.Rig, p poller.Provider) poller.Config {
	return poller.Config{Bus: r.Bus, Provider: p, Shops: rig.Shops{}, Interval: 100 * time.Millisecond, Log: r.Log}
}

// logs collects log lines.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) logger() zerolog.Logger { return zerolog.New(l).Level(zerolog.WarnLevel) }

func (l *logs) count(parts ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			n++
		}
	}
	return n
}

// await waits for a line.
func (l *logs) await(t *testing.T, parts ...string) {
	t.Helper()
	patience, again := time.After(rig.Patience), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for l.count(parts...) == 0 {
		select {
		case <-again.C:
		case <-patience:
			t.Fatalf("no line with %q", parts)
		}
	}
}

// value of a metric; the sum over its labels.
func value(t *testing.T, reg *prometheus.Registry, name string) (v float64, ok bool) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			v, ok = v+m.GetGauge().GetValue()+m.GetCounter().GetValue(), true
		}
	}
	return v, ok
}

// awaitValue waits until a metric is as the test wants it.
func awaitValue(t *testing.T, reg *prometheus.Registry, name string, fits func(float64) bool) {
	t.Helper()
	patience, again := time.After(rig.Patience), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for {
		v, ok := value(t, reg, name)
		if ok && fits(v) {
			return
		}
		select {
		case <-again.C:
		case <-patience:
			t.Fatalf("%s is %v (there: %t)", name, v, ok)
		}
	}
}

// awaitOpen waits until so many invoices are on the index.
func awaitOpen(t *testing.T, b *bus.Bus, n uint64) {
	t.Helper()
	patience, again := time.After(rig.Patience), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for {
		have, err := b.OpenCount(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if have == n {
			return
		}
		select {
		case <-again.C:
		case <-patience:
			t.Fatalf("%d entries on the index; want %d", have, n)
		}
	}
}

// full makes the broker refuse every further event of an invoice, until the returned function is called.
func full(t *testing.T, r *rig.Rig) (recover func()) {
	t.Helper()
	s, err := r.JetStream().Stream(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	limit := func(n int64) {
		cfg := s.CachedInfo().Config
		cfg.MaxMsgs = n
		if _, err := r.JetStream().UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	limit(int64(s.CachedInfo().State.Msgs))
	return func() { limit(-1) }
}

// registry runs a poller and gives its metrics.
func registry(r *rig.Rig, p poller.Provider) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	cfg := config(r, p)
	cfg.Metrics = reg
	r.Run(poller.New(cfg))
	return reg
}

// listening gives what pollers announce, as something that can be run.
type listening struct {
	b    *bus.Bus
	take func(watching.Announcement)
}

func (l listening) Run(ctx context.Context) error { return watching.Listen(ctx, l.b, l.take) }

// awaitHearing waits until a poller hears hints: until then the broker says at once that there is no subscriber.
func awaitHearing(t *testing.T, b *bus.Bus) {
	t.Helper()
	k := events.KeyOf(rig.Shop, "no such invoice")
	for _, subject := range []string{k.Hint(), k.IssuedHint()} {
		for deadline := time.Now().Add(rig.Patience); ; {
			_, err := b.Conn().Request(subject, nil, 20*time.Millisecond)
			if !errors.Is(err, nats.ErrNoResponders) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("nothing subscribes to %s", subject)
			}
		}
	}
}
