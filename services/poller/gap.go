package poller

import (
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// silence is how long nobody may have asked about the invoice of an entry that has come to this copy now, at most.
func (p *Worker) silence(entry *bus.Lease, age time.Duration) time.Duration {
	held := time.Since(p.started) > settledAfter
	for _, other := range p.roll.Living(time.Now()) {
		held = held || other.Up > settledAfter.Seconds()
	}
	if entry.Redelivered && held {
		return min(age, p.Bus.AckWait())
	}
	return age
}

// gap is the time without an answer that says how the invoice stands, up to now.
func (p *Worker) gap(w *watch) time.Duration {
	return time.Since(p.started) - w.answered + w.unheard
}

// told adds to the fact that the provider says CANCELED whether a payment may have been made and reversed before.
func (p *Worker) told(w *watch, fact events.Fact) events.Fact {
	if gap := p.gap(w); gap >= mayBeReversed {
		fact.Gap = gap
		fact.Why += fmt.Sprintf("; no answer about it was had for %s before, so a payment may have been made and reversed by the provider", gap.Round(time.Second))
	}
	return fact
}

// question is about an invoice that this copy may hold.
type question struct {
	key    events.Key
	answer chan []bus.Stuck
}

// ask the loop what it knows of an invoice.
func (l *loop) ask(shop, invoice string) []bus.Stuck {
	q := question{events.Key{Shop: shop, Invoice: invoice}, make(chan []bus.Stuck, 1)}
	select {
	case l.questions <- q:
		return <-q.answer
	case <-l.stopping:
		return nil
	}
}

// tell what is known of an open invoice: whether the buyer is waited for, or the provider.
func (l *loop) tell(k events.Key) []bus.Stuck {
	w := l.held[k]
	if w == nil || !w.polled {
		return nil
	}
	at := func(i instant) time.Time { return l.p.started.Add(i).UTC() }
	s := bus.Stuck{Worker: Name, Reason: bus.ReasonWaiting, Why: w.said, Since: at(w.answered), Last: at(w.asked), Attempts: w.failures}
	if w.failures > 0 {
		s.Reason = bus.ReasonError
	}
	if w.unanswered {
		s.Reason = bus.ReasonUnanswered
	}
	return []bus.Stuck{s}
}
