package crash

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

// scene is the processes and those who kill them.
type scene struct {
	t        *testing.T
	crew     procs.Crew
	provider *procs.Provider
	broker   *procs.Broker
	workers  map[string]*procs.Worker
	history  *procs.History
	enough   int // open invoices, before the first poller is killed
}

// round kills one of each. The workers are killed one after another while the first poller's invoices
// are without an owner; the broker, and with more rounds the next poller, only when all are polled again.
func (s *scene) round() {
	s.within("sendInvoice", "invoicer")
	s.holds("poller 1")
	s.enough = 0 // later rounds come when most are paid
	killed := s.restart("poller 1")
	for _, in := range []struct{ operation, worker string }{
		{"submitPaymentReceipt", "receipter"}, {"refundPayment", "refunder"}, {"cancelInvoice", "canceler"},
	} {
		s.within(in.operation, in.worker)
	}
	s.polledAgain("the killed poller's invoices", killed)
	killed = time.Now()
	s.broker.Kill()
	s.broker.Start()
	s.t.Logf("killed the broker, back after %s", time.Since(killed).Round(time.Millisecond))
	s.await("an event after the broker's return", events.EventPaid)
	s.polledAgain("every invoice after the broker's return", killed)
	s.workers["poller 1"], s.workers["poller 2"] = s.workers["poller 2"], s.workers["poller 1"]
}

// holds waits until the poller holds a good share of the open invoices.
func (s *scene) holds(poller string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), *settling)
	defer cancel()
	var held float64
	if missing := procs.Until(ctx, func(ctx context.Context) string {
		open, _ := s.provider.Polls.Open(time.Time{})
		var err error
		if held, err = s.workers[poller].Metric(ctx, "seqrflow_poller_held_invoices"); err != nil {
			return err.Error()
		}
		if open < s.enough || held < float64(open)/5 {
			return fmt.Sprintf("it holds %.0f of %d", held, open)
		}
		return ""
	}); missing != "" {
		s.t.Fatalf("%s: %s", poller, missing)
	}
	s.t.Logf("%s holds %.0f invoices", poller, held)
}

// within kills the worker while its call is at the provider and not answered.
func (s *scene) within(operation, worker string) {
	s.t.Helper()
	begun := s.provider.Begun(operation)
	s.wait("a call of "+operation, func() { <-begun })
	s.restart(worker)
}

// restart kills the worker, starts it again, and gives the time of the kill.
func (s *scene) restart(name string) time.Time {
	s.t.Helper()
	old, at := s.workers[name], time.Now()
	old.Kill()
	s.workers[name] = s.crew.Run(old.Name)
	s.t.Logf("killed %s, running again after %s", name, time.Since(at).Round(time.Millisecond))
	return at
}

// await one more event of that kind.
func (s *scene) await(what string, e events.Name) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), procs.Patience)
	defer cancel()
	_, before := s.history.Seq(e)
	if err := s.history.Await(ctx, func() bool { _, n := s.history.Seq(e); return n > before }); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

func (s *scene) polledAgain(what string, since time.Time) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), procs.Patience)
	defer cancel()
	if missing := procs.Until(ctx, func(context.Context) string {
		if open, waiting := s.provider.Polls.Open(since); waiting > 0 {
			return fmt.Sprintf("%d of %d open invoices are not polled", waiting, open)
		}
		return ""
	}); missing != "" {
		s.t.Fatalf("%s: %s", what, missing)
	}
	open, _ := s.provider.Polls.Open(since)
	s.t.Logf("%s: all polled again %s after the kill, %d open", what, time.Since(since).Round(time.Millisecond), open)
}

// wait for something that gives no sign but its end.
func (s *scene) wait(what string, f func()) {
	s.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	timer := time.NewTimer(*settling)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.t.Fatalf("%s: not within %s", what, *settling)
	}
}
