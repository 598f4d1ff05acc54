package poller

import (
	"context"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// loop is the one goroutine that owns the scheduler and everything that is held.
type loop struct {
	p        *Worker
	schedule *scheduler
	arrivals chan arrival
	hints    chan events.Key
	issued   chan events.Key // the invoicer's hints
	news     chan news
	stopping chan struct{}
	ended    chan struct{}

	questions chan question

	abandon context.CancelFunc // ends the polls under way

	held      map[events.Key]*watch
	preparing map[events.Key]*watch  // those of which nothing is recorded yet
	early     map[events.Key]instant // hints for invoices that are not held yet
	recorded  map[events.Key]instant // the invoicer's
	underWay  int                    // goroutines that ask or record
	records   chan struct{}          // bounds what is recorded at once
	latest    instant                // the worst lateness since the last survey
}

// arrival is an entry that was loaded.
type arrival struct {
	w *watch
	d disposition
}

// news of a poll: its call has ended, or all of it is over.
type news struct {
	w       *watch
	called  bool // the call has ended with answer
	answer  answer
	over    bool
	expired bool       // overdue is recorded
	gone    bool       // this copy holds the invoice no more
	lease   *bus.Lease // what it was polled under
}

func newLoop(p *Worker, abandon context.CancelFunc) *loop {
	return &loop{
		p: p, schedule: newScheduler(p.Concurrency, p.Interval), abandon: abandon,
		arrivals: make(chan arrival), hints: make(chan events.Key, waiting), issued: make(chan events.Key, waiting), news: make(chan news, p.Concurrency),
		stopping: make(chan struct{}), ended: make(chan struct{}), questions: make(chan question),
		held: map[events.Key]*watch{}, preparing: map[events.Key]*watch{}, early: map[events.Key]instant{}, recorded: map[events.Key]instant{},
		records: make(chan struct{}, p.Concurrency),
	}
}

// arrive passes an entry to the loop; one that comes too late goes back.
func (l *loop) arrive(w *watch, d disposition) {
	select {
	case l.arrivals <- arrival{w, d}:
	case <-l.stopping:
		l.p.leases.giveBack(w.lease, atOnce)
	}
}

// stop ends the loop and waits for it.
func (l *loop) stop() {
	close(l.stopping)
	l.p.leases.stop()
	<-l.ended
	_ = l.p.Bus.Conn().FlushTimeout(time.Second) // what was given back is at the broker
}

func (l *loop) run() {
	defer close(l.ended)
	turn, survey := time.NewTimer(time.Hour), time.NewTicker(time.Second)
	defer turn.Stop()
	defer survey.Stop()
	look := time.NewTicker(preparingLeast)
	defer look.Stop()
	for {
		l.dispatch(l.now())
		l.setTimer(turn)
		select {
		case <-l.stopping:
			l.release()
			return
		case a := <-l.arrivals:
			l.accept(a)
		case k := <-l.issued:
			l.begin(k)
		case k := <-l.hints:
			l.hurry(k)
		case n := <-l.news:
			l.settle(n)
		case <-turn.C:
		case q := <-l.questions:
			q.answer <- l.tell(q.key)
		case <-look.C:
			l.lookAgain(l.now())
		case <-survey.C:
			l.survey(l.now())
		}
	}
}

func (l *loop) now() instant { return time.Since(l.p.started) }

// grain is the shortest pause of the loop.
const grain = time.Millisecond

func (l *loop) setTimer(t *time.Timer) {
	if at, ok := l.schedule.nextChange(); ok {
		t.Reset(max(at-l.now(), grain))
	}
}

// accept takes in an entry that was loaded.
func (l *loop) accept(a arrival) {
	w, now := a.w, l.now()
	_, early := l.early[w.key] // the buyer, or the invoicer, was quicker than the index
	_, recorded := l.recorded[w.key]
	delete(l.early, w.key)
	delete(l.recorded, w.key)
	w.hinted, w.recorded = w.hinted || early, w.recorded || recorded
	if known := l.held[w.key]; known != nil {
		l.renew(known, w.lease)
		return
	}
	if a.d == toPrepare && recorded { // it was looked at just before
		l.p.leases.again(w)
		return
	}
	if a.d == toPrepare {
		l.prepare(w, early, now)
		return
	}
	if earlier := l.preparing[w.key]; earlier != nil {
		delete(l.preparing, w.key)
		l.renew(w, earlier.lease)
	}
	l.held[w.key] = w
	entry := w.lease
	age := max(0, l.p.Bus.Now().Sub(entry.Time))
	most := reversal // after a start it is not known when it was last asked about
	if entry.Redelivered {
		most = l.p.Bus.AckWait() // another copy held it, and can have been silent for so long
	}
	w.answered, w.asked = now-min(age, most), now
	w.unheard = max(0, l.p.silence(entry, age)-min(age, most))
	due := now
	if age < l.p.Interval && !w.recorded && !(w.hinted && l.schedule.allow(now)) {
		due += l.schedule.rand(l.p.Interval) // so that a burst of orders is no burst of polls
	}
	l.schedule.add(w, w.as.ID, due)
}

// renew gives an invoice that is known the lease that came now. The one that it had is lost, or of an entry that was removed
// before this one was stored.
func (l *loop) renew(w *watch, lease *bus.Lease) {
	if lease.Lost() || lease.Seq < w.lease.Seq {
		l.p.leases.drop(lease)
		return
	}
	l.p.leases.drop(w.lease)
	w.lease, w.lost = lease, 0
}

// dispatch begins the calls that are due and may be made.
func (l *loop) dispatch(now instant) {
	l.schedule.advance(now)
	for {
		w := l.schedule.next(now)
		if w == nil {
			return
		}
		late := max(0, now-w.due)
		l.latest = max(l.latest, late)
		l.p.metrics.lateness.Observe(late.Seconds())
		if l.p.Observe != nil {
			l.p.Observe(late)
		}
		l.underWay++
		l.p.polls.Add(1)
		go l.poll(w, w.lease)
	}
}

func (l *loop) poll(w *watch, lease *bus.Lease) {
	a := l.p.ask(w)
	l.news <- news{w: w, called: true, answer: a, over: a.nothing(), lease: lease}
	if a.nothing() {
		return
	}
	gone, _ := l.follow(w, lease, a.action)
	l.news <- news{w: w, over: true, gone: gone, lease: lease}
}

// follow does what an action says, with as many others at once as there is room for. What fails for want of a broker
// that takes it is told once a minute, whatever number of payments wait for it.
func (l *loop) follow(w *watch, lease *bus.Lease, a action) (gone, done bool) {
	wait, cancel := context.WithTimeout(w.ctx, recordTimeout)
	defer cancel()
	select {
	case l.records <- struct{}{}:
		defer func() { <-l.records }()
	case <-wait.Done():
		return false, false
	}
	gone, err := l.p.execute(w.ctx, w, lease, a)
	if err != nil && l.p.sometimes.OK("record") {
		l.p.Log.Error().Err(err).Str("worker", Name).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice).
			Msg("an answer is not recorded, and others may not be either; the next poll tries again")
	}
	return gone, err == nil
}

// settle takes in the news of a poll.
func (l *loop) settle(n news) {
	w, now := n.w, l.now()
	if n.called {
		w.said = n.answer.said
		l.schedule.ended(w, n.answer.result, now)
		switch {
		case n.answer.status:
			l.p.metrics.gap.Observe((w.asked - w.answered).Seconds())
			w.answered, w.failures, w.unheard = w.asked, 0, 0
		case n.answer.result != resultNothing:
			w.failures++
		}
	}
	if !n.over {
		return
	}
	l.underWay--
	w.overdue = w.overdue || n.expired
	if !n.gone {
		l.schedule.again(w, now)
		return
	}
	delete(l.held, w.key)
	if w.lease != n.lease { // it was put on the index again meanwhile, or came again
		l.p.leases.again(&watch{key: w.key, lease: w.lease, place: none})
	}
}

// release gives everything back at once but for the polls under way, which have the grace period to finish.
func (l *loop) release() {
	defer l.abandon()
	defer time.AfterFunc(grace, l.abandon).Stop()
	for k, w := range l.held {
		if !w.busy {
			delete(l.held, k)
			l.p.leases.giveBack(w.lease, atOnce)
		}
	}
	for _, w := range l.preparing {
		l.p.leases.giveBack(w.lease, atOnce)
	}
	for l.underWay > 0 {
		l.settle(<-l.news)
	}
	for _, w := range l.held {
		l.p.leases.giveBack(w.lease, atOnce)
	}
}
