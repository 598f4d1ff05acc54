package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// askStuckFor is how long running workers have to tell why an invoice is stuck.
const askStuckFor = 500 * time.Millisecond

// What show adds to the reasons that workers tell.
const (
	reasonNotRunning = "not running" // no copy of the worker asks for messages
	reasonQueued     = "queued"      // the worker has not come to it
)

// stuckOf says why an invoice is where it is: what running workers know of it, and which worker that has to act does not run.
// It reads no stream.
func stuckOf(ctx context.Context, b *bus.Bus, l life) ([]bus.Stuck, error) {
	ids := []string{l.Invoice}
	if l.Current != nil && events.Token(l.Current.OrderID) != l.Invoice {
		ids = append(ids, events.Token(l.Current.OrderID))
	}
	asking, cancel := context.WithTimeout(ctx, askStuckFor)
	defer cancel()
	told, err := b.AskStuck(asking, l.Shop, ids...)
	if err != nil {
		return nil, fmt.Errorf("asking workers: %w", err)
	}
	expected := l.expectedWorkers()
	byWorker := map[string]bus.Stuck{}
	for _, s := range told {
		if s.Terminal != "" && !slices.Contains(expected, s.Worker) || l.recordedBy(s.Worker, s.Last) {
			continue
		}
		byWorker[s.Worker] = merge(byWorker[s.Worker], s)
	}
	var out []bus.Stuck
	for _, p := range app.Processes() { // in the order in which an invoice meets them
		s, known := byWorker[p.Name]
		if !known && slices.Contains(expected, p.Name) {
			s, known = workerState(ctx, b, p.Name)
		}
		if known {
			out = append(out, s)
		}
	}
	return out, nil
}

// merge is what two copies of a worker tell together: attempts are added, the last one's reason counts.
func merge(a, b bus.Stuck) bus.Stuck {
	if a.Worker == "" {
		return b
	}
	if a.Last.After(b.Last) {
		a, b = b, a
	}
	b.Attempts += a.Attempts
	if a.Since.Before(b.Since) {
		b.Since = a.Since
	}
	return b
}

// expectedWorkers gives the workers that have something to do for the invoice, as far as its history tells.
func (l life) expectedWorkers() []string {
	var out []string
	add := func(worker string, when bool) {
		if when && !slices.Contains(out, worker) && !l.parkedBy(worker) {
			out = append(out, worker)
		}
	}
	var inv events.Invoice
	if l.Current != nil {
		inv = *l.Current
	}
	placed, canceled := false, false
	for _, e := range l.History {
		if e.Stream != events.OrdersStream {
			continue
		}
		switch o := orderfile.Glance(e.Subject, e.Body); o.Name {
		case events.Placed:
			placed = true
		case events.OrderCanceled:
			canceled = true
		case events.Returned:
			_, known := inv.Refund(o.RefundID)
			add("refunder", !known && (inv.State == "" || inv.State.Open() || inv.State.Paid() && inv.Remaining().Sign() > 0))
		}
	}
	add("invoicer", placed && inv.State == "")
	add("poller", inv.State.Open())
	add("canceler", canceled && (inv.State == "" || inv.State.Open()) || inv.State.Open() && inv.OverdueAt != nil)
	add("receipter", inv.State.Paid() && len(inv.Receipts) == 0)
	add("refunder", (canceled || inv.Late) && inv.Remaining().Sign() > 0)
	for _, r := range inv.Refunds {
		add("refunder", r.UnderWay())
	}
	return out
}

// parkedBy says whether the worker has parked the message that it last took of the invoice: then a person has it.
func (l life) parkedBy(worker string) (parked bool) {
	for _, e := range l.History {
		if _, event, err := events.DecodeParked(e.Body); e.Stream == events.ParkedStream && strings.HasPrefix(e.Subject, "parked."+worker+".") && err == nil {
			parked = event != events.ParkedReplayed
		}
	}
	return parked
}

// recordedBy says whether the worker has recorded something since.
func (l life) recordedBy(worker string, since time.Time) bool {
	return slices.ContainsFunc(l.History, func(e bus.Entry) bool {
		if e.Stream != events.InvoicesStream || e.Time.Before(since) {
			return false
		}
		inv, err := events.DecodeInvoice(e.Body)
		return err == nil && inv.Change.By == worker
	})
}

// workerState says whether a worker that has to act, and tells nothing, runs at all.
func workerState(ctx context.Context, b *bus.Bus, worker string) (s bus.Stuck, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s = bus.Stuck{Worker: worker, Reason: reasonNotRunning}
	asking, waiting := 0, uint64(0)
	for _, c := range app.Consumers() {
		if c.Worker != worker {
			continue
		}
		state, err := b.ConsumerState(ctx, c)
		if bus.IsMissing(err) {
			s.Why = "no " + worker + " has ever run on this broker; run one: seqrflow run " + worker
			return s, true
		}
		if err != nil {
			return s, false
		}
		asking += state.Asking
		waiting += state.Waiting
	}
	switch {
	case asking == 0:
		s.Why = "no " + worker + " runs; run one: seqrflow run " + worker
	case waiting > 0 && worker != "poller":
		s.Reason, s.Why = reasonQueued, fmt.Sprintf("the %s has not come to it yet; %d messages wait for it", worker, waiting)
	default:
		return s, false
	}
	return s, true
}

// showStuck prints one line for each worker that the invoice waits for.
func (c *console) showStuck(all []bus.Stuck) {
	now := time.Now()
	for _, s := range all {
		name, colour := "stuck", term.Red
		text := s.Worker + ": "
		switch {
		case s.Waiting(), s.Reason == reasonQueued:
			name, colour = "waits", term.Yellow
			text += s.Why
		case s.Attempts > 0:
			text += fmt.Sprintf("%s since %s, the last %s ago: %s", counted(s.Attempts, "attempt"), c.lines.Clock(s.Since), max(0, now.Sub(s.Last)).Round(100*time.Millisecond), s.Why)
		case s.Terminal != "":
			text += fmt.Sprintf("terminal %s has not answered since %s; messages of it wait until it does: %s", s.Terminal, c.lines.Clock(s.Since), s.Why)
		default:
			text += s.Why
		}
		c.say("  %s %s", c.paint().In(colour, term.Pad(name, 18)), term.Clean(text))
	}
}
