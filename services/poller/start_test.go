package poller_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// recordAll records what it is given, many at once.
func recordAll(t *testing.T, r *rig.Rig, n int, x func(i int) rig.Recorded) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(32)
	for i := range n {
		g.Go(func() error { return rig.RecordIssued(ctx, r.Bus, x(i)) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// endedLongAgo fills INVOICES with invoices that were paid and are not on the index.
func endedLongAgo(t *testing.T, r *rig.Rig, n int) {
	t.Helper()
	x := func(i int) rig.Recorded {
		id := fmt.Sprint("old", i)
		return rig.Recorded{ID: id, Reference: id, Unindexed: true, Unhinted: true}
	}
	recordAll(t, r, n, x)
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(32)
	for i := range n {
		g.Go(func() error {
			_, err := r.Bus.Update(ctx, poller.Name, events.KeyOf(rig.Shop, x(i).ID), func(v events.Invoice) (events.Invoice, error) {
				return v.PaidWith("ers", poller.Name, events.Fact{At: r.Bus.Now(), Why: "test"})
			})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// requestsBeforeFirstPoll counts what a poller that starts asks of the broker before it has asked about all open invoices.
func requestsBeforeFirstPoll(t *testing.T, r *rig.Rig, open []string) (requests int) {
	t.Helper()
	p := always(seqr.StatusIssued, nil)
	cfg := config(r, p)
	cfg.Bus = r.Connect()
	cfg.Interval = 200 * time.Millisecond
	before := cfg.Bus.Conn().Stats()
	stop := r.Run(poller.New(cfg))
	for _, ref := range open {
		p.await(t, ref, 1)
	}
	after := cfg.Bus.Conn().Stats()
	stop()
	for _, q := range p.questions() {
		if _, isOpen := map[string]bool{open[0]: true, open[1]: true, open[2]: true}[q.InvoiceReference]; !isOpen {
			t.Errorf("asked about %s, which has ended", q.InvoiceReference)
		}
	}
	return int(after.OutMsgs-before.OutMsgs) + int(after.InMsgs-before.InMsgs)
}

// What a start asks of the broker is as much with a long history as with none, whether its durable is there or was lost.
func TestStartReadsNoHistory(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	open := []string{"a", "b", "c"}
	recordAll(t, r, len(open), func(i int) rig.Recorded { return rig.Recorded{ID: open[i], Reference: open[i]} })
	fresh := requestsBeforeFirstPoll(t, r, open)
	endedLongAgo(t, r, 2500)
	counts := map[string]int{"with its durable": requestsBeforeFirstPoll(t, r, open)}
	if err := r.JetStream().DeleteConsumer(t.Context(), events.OpenStream, poller.Name); err != nil {
		t.Fatal(err)
	}
	counts["with a new durable"] = requestsBeforeFirstPoll(t, r, open)
	for how, n := range counts {
		if n > fresh+40 {
			t.Errorf("%s: %d messages before the first polls; %d without history", how, n, fresh)
		}
		t.Logf("%s: %d messages before the first polls; %d without history", how, n, fresh)
	}
}

// The durable may be lost while a poller runs: what is open is polled on, and what has ended does not come back.
func TestLostConsumerIsMadeAnewWithWhatIsOpen(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	endedLongAgo(t, r, 50)
	p := spy(r.Client)
	r.Run(poller.New(config(r, p)))
	ref := r.IssueDirectly("1")
	p.await(t, ref, 1)
	if err := r.JetStream().DeleteConsumer(t.Context(), events.OpenStream, poller.Name); err != nil {
		t.Fatal(err)
	}
	late := r.IssueDirectly("2")
	p.await(t, late, 1)
	r.Pay(ref)
	r.Pay(late)
	r.Wait("1", events.EventPaid)
	r.Wait("2", events.EventPaid)
	awaitOpen(t, r.Bus, 0)
	for _, q := range p.questions() {
		if q.InvoiceReference != ref && q.InvoiceReference != late {
			t.Fatalf("asked about %s", q.InvoiceReference)
		}
	}
}

// The invoicer stores the entry before it asks the provider: what is recorded later, with or without its hint, is polled.
func TestEntryIsWatchedBeforeItsInvoiceIsRecorded(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	for _, id := range []string{"hinted", "unhinted"} {
		if _, _, err := r.Bus.IndexOpen(t.Context(), events.KeyOf(rig.Shop, id), 1); err != nil {
			t.Fatal(err)
		}
	}
	p := spy(r.Client)
	reg := registry(r, p)
	awaitValue(t, reg, "seqrflow_poller_held_invoices", func(v float64) bool { return v == 2 })
	for _, id := range []string{"hinted", "unhinted"} {
		ref := r.SendInvoice(id)
		r.Pay(ref)
		r.Record(rig.Recorded{ID: id, Reference: ref, Unindexed: true, Unhinted: id == "unhinted"})
		r.Wait(id, events.EventPaid)
	}
	awaitOpen(t, r.Bus, 0)
}

// The provider takes half a second for an answer: whatever number of calls at once that needs is made, up to the setting.
func TestAsManyCallsAreMadeAtOnceAsAreNeeded(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	const n, enough = 600, 200
	underWay, reached := atomic.Int64{}, make(chan struct{})
	var once sync.Once
	p := newProvider(func(ctx context.Context, _ int, _ seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
		defer underWay.Add(-1)
		if underWay.Add(1) >= enough {
			once.Do(func() { close(reached) })
		}
		latency := time.NewTimer(500 * time.Millisecond)
		defer latency.Stop()
		select {
		case <-latency.C:
		case <-ctx.Done():
		}
		return seqr.PaymentStatus{Status: seqr.StatusIssued}, ctx.Err()
	})
	recordAll(t, r, n, func(i int) rig.Recorded {
		return rig.Recorded{ID: fmt.Sprint(i), Reference: fmt.Sprint(i), Unhinted: true}
	})
	cfg := config(r, p)
	cfg.Interval = time.Second
	r.Run(poller.New(cfg))
	select {
	case <-reached:
	case <-time.After(rig.Patience):
		t.Fatalf("%d calls at once for %d invoices at a latency of half the interval", underWay.Load(), n)
	}
}

// Where the setting does not allow as many as are needed, that is said while there is time.
func TestLimitOfCallsThatIsTooLowIsLogged(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	said := &logs{}
	p := newProvider(func(ctx context.Context, _ int, _ seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
		latency := time.NewTimer(100 * time.Millisecond)
		defer latency.Stop()
		select {
		case <-latency.C:
		case <-ctx.Done():
		}
		return seqr.PaymentStatus{Status: seqr.StatusIssued}, ctx.Err()
	})
	recordAll(t, r, 100, func(i int) rig.Recorded {
		return rig.Recorded{ID: fmt.Sprint(i), Reference: fmt.Sprint(i), Unhinted: true}
	})
	cfg := config(r, p)
	cfg.Concurrency, cfg.Log = 4, said.logger()
	r.Run(poller.New(cfg))
	said.await(t, "because of the limit of calls at once")
	p.await(t, "0", 3)
	if n := said.count("because of the limit of calls at once"); n != 1 {
		t.Errorf("said %d times", n)
	}
}
