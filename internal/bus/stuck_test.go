package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/rig"
)

// lines collects log lines of level info and above.
type lines struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written chan struct{} // closed at the next line
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written != nil {
		close(l.written)
		l.written = nil
	}
	return l.b.Write(b)
}

// wait for a line with that part.
func (l *lines) wait(t *testing.T, part string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		if strings.Contains(l.b.String(), part) {
			l.mu.Unlock()
			return
		}
		if l.written == nil {
			l.written = make(chan struct{})
		}
		more := l.written
		l.mu.Unlock()
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("no line with %q", part)
		}
	}
}

func (l *lines) with(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), part)
}

// measuredBus is a bus whose log and metrics can be read, and the broker of it.
func measuredBus(t *testing.T) (*bus.Bus, *natsd.Server, *lines, *prometheus.Registry) {
	t.Helper()
	s, err := natsd.Start(t.Context(), natsd.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	log, reg := &lines{}, prometheus.NewRegistry()
	b, err := bus.Connect(t.Context(), bus.Config{Name: "test", Options: []nats.Option{s.InProcess()}, Log: zerolog.New(log).Level(zerolog.InfoLevel), Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, s, log, reg
}

// samples gives the values of a metric by its labels' values.
func samples(t *testing.T, reg *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			out[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

// asked asks until the workers tell something that fits.
func asked(t *testing.T, b *bus.Bus, id string, fits func([]bus.Stuck) bool) []bus.Stuck {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		told, err := b.AskStuck(ctx, "acme", id)
		cancel()
		if err == nil && fits(told) {
			return told
		}
		if time.Now().After(deadline) {
			t.Fatalf("told %+v, %v", told, err)
		}
	}
}

// Whatever a delivery is not finished for, the worker tells it, counts it, and logs it once, not with each attempt.
func TestWorkerTellsWhyAMessageIsStuck(t *testing.T) {
	t.Parallel()
	b, s, log, reg := measuredBus(t)
	other, err := bus.Connect(t.Context(), bus.Config{Name: "asks", Options: []nats.Option{s.InProcess()}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	outcomes := map[string]func() bus.Outcome{
		bus.ReasonWaiting: func() bus.Outcome { return bus.Wait("the invoice is not paid yet") },
		bus.ReasonBroker:  func() bus.Outcome { return bus.Snooze(errors.New("no room")) },
		bus.ReasonBusy:    func() bus.Outcome { return bus.Snooze(errors.New("REPORT_NOT_READY")).Asked() },
		bus.ReasonError:   func() bus.Outcome { return bus.Retry(errors.New("SOAP fault")).Asked() },
	}
	var finished atomic.Bool
	c := consumer("invoicer")
	c.Attempts, c.Backoff = 1000, bus.Backoff{First: 10 * time.Millisecond, Most: 50 * time.Millisecond}
	work(t, b, c, func(_ context.Context, d bus.Delivery) bus.Outcome {
		a, _ := d.Address()
		if finished.Load() {
			return bus.Done
		}
		return outcomes[a.ID]()
	})
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	missing := rig.Until(ctx, func(context.Context) string {
		if len(samples(t, reg, "seqrflow_stuck_messages")) != len(bus.Reasons()) {
			return "no reason is counted before something is stuck"
		}
		return ""
	})
	if missing != "" {
		t.Fatal(missing)
	}
	for reason := range outcomes {
		if err := b.PublishRaw(t.Context(), "orders.acme."+reason+".placed", "", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	for reason := range outcomes {
		told := asked(t, other, reason, func(told []bus.Stuck) bool { return len(told) == 1 && told[0].Attempts >= 5 })
		if got := told[0]; got.Worker != "invoicer" || got.Reason != reason || got.Waiting() != (reason == bus.ReasonWaiting) ||
			got.Why == "" || got.Since.IsZero() || got.Last.Before(got.Since) {
			t.Errorf("%s: %+v", reason, got)
		}
		if n := log.with(`"outcome":"` + reason + `"`); n != 1 {
			t.Errorf("%s: %d lines about %d attempts", reason, n, told[0].Attempts)
		}
		if n := samples(t, reg, "seqrflow_stuck_messages")[reason+" invoicer"]; n != 1 {
			t.Errorf("%s: %v counted as stuck", reason, n)
		}
		if n := samples(t, reg, "seqrflow_deliveries_total")[reason+" invoicer"]; n < 5 {
			t.Errorf("%s: %v deliveries counted", reason, n)
		}
	}
	finished.Store(true)
	for reason := range outcomes {
		asked(t, other, reason, func(told []bus.Stuck) bool { return len(told) == 0 })
	}
	for labels, n := range samples(t, reg, "seqrflow_stuck_messages") {
		if n != 0 {
			t.Errorf("%s: %v are stuck after the end", labels, n)
		}
	}
}

// In an outage a message that was never tried has its answer too, and what is remembered and logged does not grow.
func TestOutageIsToldForMessagesThatWereNotTried(t *testing.T) {
	t.Parallel()
	for reason, outcome := range map[string]bus.Outcome{
		bus.ReasonUnanswered: bus.Unanswered(errors.New("HTTP 500")),
		bus.ReasonBusy:       bus.Busy(errors.New("SYSTEM_BUSY")),
	} {
		t.Run(reason, func(t *testing.T) { tellsOfAnOutage(t, reason, outcome) })
	}
}

func tellsOfAnOutage(t *testing.T, reason string, outcome bus.Outcome) {
	t.Parallel()
	b, _, log, reg := measuredBus(t)
	const messages = 3000
	publishMany(t, b, messages, func(i int) string { return fmt.Sprintf("orders.acme.%d.placed", i) }, []byte(`{}`))
	var attempts atomic.Int64
	tried := sync.Map{}
	c := consumer("invoicer")
	c.Backoff = bus.Backoff{First: 50 * time.Millisecond, Most: time.Second}
	c.Serves = func(string) (string, error) { return "terminal-1", nil }
	c.Probe = func(context.Context, string) error { return errors.New("no answer") }
	work(t, b, c, func(_ context.Context, d bus.Delivery) bus.Outcome {
		a, _ := d.Address()
		tried.Store(a.ID, true)
		attempts.Add(1)
		return outcome
	})
	id := ""
	asked(t, b, "no-such-order", func(told []bus.Stuck) bool { return len(told) == 1 }) // the terminal is silent
	for i := 0; id == ""; i++ {
		if _, was := tried.Load(fmt.Sprint(i)); !was {
			id = fmt.Sprint(i)
		}
	}
	told := asked(t, b, id, func(told []bus.Stuck) bool { return len(told) == 1 })
	if s := told[0]; s.Terminal != "terminal-1" || s.Attempts != 0 || s.Reason != reason || s.Why != outcome.Err().Error() {
		t.Errorf("%+v", s)
	}
	if n := log.with(`"outcome":"` + reason + `"`); n != 1 {
		t.Errorf("%d lines about %d attempts", n, attempts.Load())
	}
	if n := samples(t, reg, "seqrflow_stuck_messages")[reason+" invoicer"]; n < 1 || n > 8 {
		t.Errorf("%v messages count as tried", n)
	}
}
