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

// Stuck is what one copy of a worker tells about a shop's invoice or order that it has tried and not finished.
type Stuck struct {
	Worker   string    `json:"worker"`
	Reason   string    `json:"reason"`             // one of Reasons
	Why      string    `json:"why"`                // the last attempt's error, or what is waited for
	Attempts int       `json:"attempts,omitempty"` // of this copy; 0 where the terminal is silent and this message was not tried
	Since    time.Time `json:"since"`              // the first attempt, or the first silence
	Last     time.Time `json:"last"`               // the last attempt
	Terminal string    `json:"terminal,omitempty"` // the terminal that is silent, where the message itself was not tried
}

// Waiting says that nothing has failed: something else has to happen first.
func (s Stuck) Waiting() bool { return s.Reason == ReasonWaiting }

// What a delivery that is not finished waits for.
const (
	ReasonWaiting    = "waiting"    // for something else to happen, such as the payment: no fault
	ReasonUnanswered = "unanswered" // the provider gave no answer
	ReasonError      = "error"      // the provider answered with an error of its own
	ReasonBusy       = "busy"       // the provider said to come again later
	ReasonBroker     = "broker"     // the broker failed or refused
	ReasonElsewhere  = "elsewhere"  // this copy lacks the credentials of the invoice's terminal
)

// Reasons are all of them.
func Reasons() []string {
	return []string{ReasonWaiting, ReasonUnanswered, ReasonError, ReasonBusy, ReasonBroker, ReasonElsewhere}
}

// A question goes to stuck.<shop>.<invoice> and is answered on told.<worker>.<shop>.<invoice>. Both are plain subjects, no
// request with a reply: accounts keep replies apart, and any number of copies may have something to tell.
const (
	stuckPrefix = "stuck."
	toldPrefix  = "told."
	// StuckSubjects are where workers are asked, ToldSubjects where they answer.
	StuckSubjects = stuckPrefix + "*.*"
	ToldSubjects  = toldPrefix + "*.*.*"
)

// ToldSubjectsOf are where one worker answers.
func ToldSubjectsOf(worker string) string { return toldPrefix + worker + ".*.*" }

// AboutStuck says whether a subject is one of questions or answers.
func AboutStuck(subject string) bool {
	return strings.HasPrefix(subject, stuckPrefix) || strings.HasPrefix(subject, toldPrefix)
}

// AskStuck asks every running worker what it knows of the shop's invoices and orders with these ids, all subject tokens, and
// gives what is told until ctx ends.
func (b *Bus) AskStuck(ctx context.Context, shop string, ids ...string) ([]Stuck, error) {
	var mu sync.Mutex
	var out []Stuck
	stop, err := b.Subscribe(ToldSubjects, func(subject string, body []byte) {
		var all []Stuck
		if token(subject, 2) != shop || !slices.Contains(ids, token(subject, 3)) || json.Unmarshal(body, &all) != nil {
			return // it answers another question
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range all {
			s.Worker = token(subject, 1) // the subject is what the broker has checked
			out = append(out, s)
		}
	})
	if err != nil {
		return nil, err
	}
	defer stop()
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

// AnswerStuck lets find answer questions about a shop's invoices and orders until stop is called.
func (b *Bus) AnswerStuck(worker string, find func(shop, id string) []Stuck) (stop func(), err error) {
	return b.Subscribe(StuckSubjects, func(subject string, _ []byte) {
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

const (
	// mostTroubles bounds what is remembered of deliveries that are not finished. What was tried longest ago goes first.
	mostTroubles = 10_000
	// troubleFor is how long a delivery is remembered that has not been seen again: another copy has finished it, or has
	// it. It is longer than any pause.
	troubleFor = 5 * time.Minute
)

// troubles is what this copy of a worker remembers of the deliveries that it tried and did not finish. It is safe for
// concurrent use.
type troubles struct {
	mu     sync.Mutex
	of     map[place]*trouble
	silent map[string]*trouble // terminals that give no answer, by name
}

// place names a delivery.
type place struct {
	stream string
	seq    uint64
}

type trouble struct {
	shop, id string // subject tokens
	seen     time.Time
	Stuck
}

func newTroubles() *troubles {
	return &troubles{of: map[place]*trouble{}, silent: map[string]*trouble{}}
}

// note remembers an attempt that did not finish the delivery and gives what is known of it then.
func (t *troubles) note(d Delivery, terminal string, o Outcome, now time.Time) Stuck {
	t.mu.Lock()
	defer t.mu.Unlock()
	why := ""
	if o.err != nil {
		why = o.err.Error()
	}
	at := place{d.Stream, d.Seq}
	one := t.of[at]
	if one == nil {
		if len(t.of) >= mostTroubles {
			t.makeRoom(now)
		}
		shop, id := addressee(d.Subject)
		one = &trouble{shop: shop, id: id, Stuck: Stuck{Since: now}}
		t.of[at] = one
	}
	one.Attempts++
	one.Reason, one.Why, one.Last, one.seen = o.label(), why, now, now
	if one.Reason == ReasonUnanswered {
		if t.silent[terminal] == nil {
			t.silent[terminal] = &trouble{Stuck: Stuck{Since: now, Terminal: terminal, Reason: ReasonUnanswered}}
		}
		t.silent[terminal].Why, t.silent[terminal].Last = why, now
	}
	return one.Stuck
}

// makeRoom forgets what was not seen for long, and if there is nothing of that kind, some of the rest.
func (t *troubles) makeRoom(now time.Time) {
	t.tidy(now)
	for at := range t.of {
		if len(t.of) < mostTroubles*9/10 {
			return
		}
		delete(t.of, at)
	}
}

func (t *troubles) tidy(now time.Time) {
	for at, one := range t.of {
		if now.Sub(one.seen) > troubleFor {
			delete(t.of, at)
		}
	}
}

// ended forgets a delivery.
func (t *troubles) ended(d Delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, place{d.Stream, d.Seq})
}

// saw notes that a delivery has come again: no other copy has finished it.
func (t *troubles) saw(d Delivery, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.of[place{d.Stream, d.Seq}]; one != nil {
		one.seen = now
	}
}

// answered notes that a terminal gives answers again.
func (t *troubles) answered(terminal string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.silent, terminal)
}

// find gives what is remembered of the shop's messages with that id; of a message that was not tried because its terminal
// is silent, it tells of the terminal.
func (t *troubles) find(shop, id, terminal string, silent bool, now time.Time) []Stuck {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tidy(now)
	var out []Stuck
	for _, one := range t.of {
		if one.shop == shop && one.id == id {
			out = append(out, one.Stuck)
		}
	}
	if s := t.silent[terminal]; len(out) == 0 && silent && s != nil {
		out = append(out, s.Stuck)
	}
	return out
}

// counts gives how many deliveries are not finished for each reason.
func (t *troubles) counts(now time.Time) map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tidy(now)
	out := map[string]int{}
	for _, one := range t.of {
		out[one.Reason]++
	}
	return out
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
	return w.troubles.find(shop, id, name, silent, time.Now())
}

// report tells what became of a delivery. A delivery that is not finished is told of at once and then once a minute for each
// shop and reason, however many attempts and messages there are; all is told at the level debug.
func (w *work) report(l *Lease, o Outcome, attempts int, terminal string) {
	log, message := w.bus.log.Debug(), "handled"
	switch label := o.label(); {
	case o.kind == done || o.kind == dropped: // dropped: another copy has it, and tells
		w.troubles.ended(l.Delivery)
	case o.kind == park:
		w.troubles.ended(l.Delivery)
		log, message = w.bus.log.Warn(), "parked: a person has to look"
	default:
		s := w.troubles.note(l.Delivery, terminal, o, time.Now())
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
	log.Str("worker", w.spec.Worker).Str("subject", l.Subject).Uint64("seq", l.Seq).Str("outcome", o.label()).
		Int("attempts", attempts).Err(o.err).Msg(message)
}
