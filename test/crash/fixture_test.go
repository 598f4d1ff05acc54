package crash

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

// fixture is the processes of the test: a provider, a broker, and workers that are killed.
type fixture struct {
	t        *testing.T
	start    procs.Workers
	provider *procs.Provider
	broker   *procs.Broker
	workers  map[string]*procs.Worker
	events   *procs.Follower
	enough   int // open invoices, before the first poller is killed
}

// killEach kills one of each. The workers are killed one after another while the first poller's invoices
// are polled by no poller; the broker, and with more rounds the next poller, only when all are polled again.
func (f *fixture) killEach() {
	f.killDuringCall("sendInvoice", "invoicer")
	f.waitUntilHeld("poller 1")
	f.enough = 0 // later rounds come when most are paid
	killed := f.restart("poller 1")
	for _, in := range []struct{ operation, worker string }{
		{"submitPaymentReceipt", "receipter"}, {"refundPayment", "refunder"}, {"cancelInvoice", "canceler"},
	} {
		f.killDuringCall(in.operation, in.worker)
	}
	f.waitUntilPolled("the killed poller's invoices", killed)
	killed = time.Now()
	f.broker.Kill()
	f.broker.Start()
	f.t.Logf("killed the broker, back after %s", time.Since(killed).Round(time.Millisecond))
	f.waitForAnother("an event after the broker's return", events.EventPaid)
	f.waitUntilPolled("every invoice after the broker's return", killed)
	f.workers["poller 1"], f.workers["poller 2"] = f.workers["poller 2"], f.workers["poller 1"]
}

// waitUntilHeld waits until the poller polls at least a fifth of the open invoices.
func (f *fixture) waitUntilHeld(poller string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), *settling)
	defer cancel()
	var held float64
	if missing := rig.Until(ctx, func(ctx context.Context) string {
		open, _ := f.provider.Polls.Open(time.Time{})
		var err error
		if held, err = f.workers[poller].Metric(ctx, "seqrflow_poller_held_invoices"); err != nil {
			return err.Error()
		}
		if open < f.enough || held < float64(open)/5 {
			return fmt.Sprintf("it polls %.0f of %d", held, open)
		}
		return ""
	}); missing != "" {
		f.t.Fatalf("%s: %s", poller, missing)
	}
	f.t.Logf("%s polls %.0f invoices", poller, held)
}

// killDuringCall kills the worker while its call is at the provider and not answered, and starts it again.
func (f *fixture) killDuringCall(operation, worker string) {
	f.t.Helper()
	begun := f.provider.Begun(operation)
	f.within("a call of "+operation, func() { <-begun })
	f.restart(worker)
}

// restart kills the worker, starts it again, and gives the time of the kill.
func (f *fixture) restart(name string) time.Time {
	f.t.Helper()
	old, at := f.workers[name], time.Now()
	old.Kill()
	f.workers[name] = f.start.Run(old.Name)
	f.t.Logf("killed %s, running again after %s", name, time.Since(at).Round(time.Millisecond))
	return at
}

// waitForAnother waits for one more event of that name.
func (f *fixture) waitForAnother(what string, e events.Name) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), procs.Patience)
	defer cancel()
	before := f.events.Count(e)
	if err := f.events.Wait(ctx, func() bool { return f.events.Count(e) > before }); err != nil {
		f.t.Fatalf("%s: %v", what, err)
	}
}

// waitUntilPolled waits until every open invoice was polled after since.
func (f *fixture) waitUntilPolled(what string, since time.Time) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), procs.Patience)
	defer cancel()
	if missing := rig.Until(ctx, func(context.Context) string {
		if open, waiting := f.provider.Polls.Open(since); waiting > 0 {
			return fmt.Sprintf("%d of %d open invoices are not polled", waiting, open)
		}
		return ""
	}); missing != "" {
		f.t.Fatalf("%s: %s", what, missing)
	}
	open, _ := f.provider.Polls.Open(since)
	f.t.Logf("%s: all polled again %s after the kill, %d open", what, time.Since(since).Round(time.Millisecond), open)
}

// within fails the test unless wait returns in time.
func (f *fixture) within(what string, wait func()) {
	f.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); wait() }()
	timer := time.NewTimer(*settling)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		f.t.Fatalf("%s: not within %s", what, *settling)
	}
}
