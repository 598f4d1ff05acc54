package bus

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Stuck is what one copy of a worker tells about a delivery of a shop's invoice or order that it has tried and not finished.
type Stuck struct {
	Worker   string    `json:"worker"`
	Reason   string    `json:"reason"`             // one of [Reasons]
	Why      string    `json:"why"`                // the last attempt's error, or what is waited for
	Attempts int       `json:"attempts,omitempty"` // of this copy; 0 where the terminal is silent and this message was not tried
	Since    time.Time `json:"since"`              // the first attempt, or the first silence
	Last     time.Time `json:"last"`               // the last attempt
	Terminal string    `json:"terminal,omitempty"` // the terminal that is silent, where the message itself was not tried
}

// Waiting says whether nothing has failed: something else has to happen first.
func (s Stuck) Waiting() bool { return s.Reason == ReasonWaiting }

// The reasons for which a delivery is not finished.
const (
	ReasonWaiting    = "waiting"    // for something else to happen, such as the payment: no fault
	ReasonUnanswered = "unanswered" // the provider gave no answer
	ReasonError      = "error"      // the provider answered with an error of its own
	ReasonBusy       = "busy"       // the provider said to come again later
	ReasonBroker     = "broker"     // the broker failed or refused
	ReasonElsewhere  = "elsewhere"  // this copy lacks the credentials of the invoice's terminal
)

// Reasons gives every reason for which a delivery is not finished.
func Reasons() []string {
	return []string{ReasonWaiting, ReasonUnanswered, ReasonError, ReasonBusy, ReasonBroker, ReasonElsewhere}
}

// The subjects of questions about deliveries that are not finished, and of the answers. These are no requests with a reply: accounts
// of the server keep replies apart, and any number of copies may have something to tell.
const (
	StuckSubjects = stuckPrefix + "*.*"  // stuck.<shop>.<id> is where workers are asked
	ToldSubjects  = toldPrefix + "*.*.*" // told.<worker>.<shop>.<id> is where they answer

	stuckPrefix = "stuck."
	toldPrefix  = "told."
)

// ToldSubjectsOf gives the subjects where one worker answers.
func ToldSubjectsOf(worker string) string { return toldPrefix + worker + ".*.*" }

// AboutStuck says whether a subject is that of such a question or answer.
func AboutStuck(subject string) bool {
	return strings.HasPrefix(subject, stuckPrefix) || strings.HasPrefix(subject, toldPrefix)
}

// AskStuck asks every worker that runs about the shop's invoices and orders with these ids, all subject tokens, and gives what they
// tell until ctx ends.
func (b *Bus) AskStuck(ctx context.Context, shop string, ids ...string) ([]Stuck, error) {
	var mu sync.Mutex
	var out []Stuck
	err := b.Subscribe(ctx, ToldSubjects, func(subject string, body []byte) {
		var all []Stuck
		if token(subject, 2) != shop || !slices.Contains(ids, token(subject, 3)) || json.Unmarshal(body, &all) != nil {
			return // it answers another question
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range all {
			s.Worker = token(subject, 1) // the broker has checked the subject
			out = append(out, s)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := b.nc.FlushWithContext(ctx); err != nil { // the answers must not be quicker than the subscriptions
		return nil, err
	}
	for _, id := range ids {
		if err := b.Publish(stuckPrefix+shop+"."+id, nil); err != nil {
			return nil, err
		}
	}
	<-ctx.Done()
	mu.Lock()
	defer mu.Unlock()
	return out, nil
}

// AnswerStuck has find answer the questions of AskStuck, one at a time, until ctx ends. shop and id are subject tokens.
func (b *Bus) AnswerStuck(ctx context.Context, worker string, find func(shop, id string) []Stuck) error {
	return b.Subscribe(ctx, StuckSubjects, func(subject string, _ []byte) {
		shop, id := token(subject, 1), token(subject, 2)
		all := find(shop, id)
		if len(all) == 0 {
			return
		}
		body, err := events.Encode(all)
		if err == nil {
			err = b.Publish(toldPrefix+worker+"."+shop+"."+id, body)
		}
		if err != nil && b.sometimes.OK("told") {
			b.log.Debug().Err(err).Str("worker", worker).Msg("telling why a message is stuck")
		}
	})
}

// stuck answers a question about a shop's invoice or order.
func (w *work) stuck(shop, id string) []Stuck {
	name, err := w.spec.Serves(shop)
	if err != nil {
		return nil // another copy has it
	}
	w.mu.Lock()
	t := w.schedule.terminals[name]
	silent := t != nil && t.window.Silent()
	w.mu.Unlock()
	return w.unfinished.find(shop, id, name, silent, time.Now())
}

// report logs what became of a delivery, and remembers one that is not finished. Of those one is logged at once and then one a minute
// for each shop and reason, however many attempts and messages there are; all are logged at the level debug.
func (w *work) report(l *Lease, o Outcome, attempts int, terminal string) {
	log, message := w.bus.log.Debug(), "handled"
	switch label := o.Label(); {
	case o.kind == done || o.kind == dropped: // dropped: another copy has it, and tells
		w.unfinished.ended(l.Delivery)
	case o.kind == park:
		w.unfinished.ended(l.Delivery)
		log, message = w.bus.log.Warn(), "parked: a person has to look"
	default:
		s := w.unfinished.note(l.Delivery, terminal, o, time.Now())
		attempts = s.Attempts
		about := "stuck " + w.spec.Worker + " " + label
		if label != ReasonBroker {
			about += " " + token(l.Subject, 1)
		}
		switch {
		case !w.bus.sometimes.OK(about):
		case s.Waiting():
			log, message = w.bus.log.Info(), "waits for something else to happen; others may wait too"
		default:
			log, message = w.bus.log.Warn(), "failed, and comes again; others may fail too"
		}
	}
	log.Str("worker", w.spec.Worker).Str("subject", l.Subject).Uint64("seq", l.Seq).Str("outcome", o.Label()).
		Int("attempts", attempts).Err(o.err).Msg(message)
}
