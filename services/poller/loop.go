package poller

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// loop is the one goroutine that owns the scheduler and every invoice that is held. It never waits for the broker: while a
// connection hangs, the provider is asked all the same.
type loop struct {
	p        *Worker
	schedule *scheduler
	tasks    chan func()     // what other goroutines have the loop do
	hints    chan events.Key // from anybody
	issued   chan events.Key // from the invoicer: an invoice is recorded
	tell     chan watching.Announcement
	stopping chan struct{}
	ended    chan struct{}
	abandon  context.CancelFunc // ends the polls under way

	invoices    map[events.Key]*watch // all that this copy holds
	lost        int                   // those of them whose lease is lost
	toLoad      []*watch              // the newest last
	loading     int                   // goroutines that load
	loads       context.Context       // of the loads under way
	stopLoads   context.CancelFunc
	balance     balance
	unserved    *bus.Unserved          // entries that this copy cannot poll
	earlyHints  map[events.Key]instant // hints for invoices that are not held
	earlyIssued map[events.Key]instant // hints of the invoicer for such
	underWay    int                    // goroutines that poll or record
	connected   atomic.Bool            // the broker took the last announcement

	worstLate instant // of a poll since the last survey
}

func newLoop(p *Worker, abandon context.CancelFunc) *loop {
	l := &loop{
		p: p, schedule: newScheduler(p.Concurrency, p.Interval), abandon: abandon,
		tasks: make(chan func()), hints: make(chan events.Key, mostHints), issued: make(chan events.Key, mostHints),
		tell: make(chan watching.Announcement, 1), stopping: make(chan struct{}), ended: make(chan struct{}),
		invoices: map[events.Key]*watch{}, earlyHints: map[events.Key]instant{}, earlyIssued: map[events.Key]instant{},
		balance: newBalance(p), unserved: bus.NewUnserved(notServedMost),
	}
	l.loads, l.stopLoads = context.WithCancel(p.inHand)
	return l
}

func (l *loop) now() instant { return time.Since(l.p.started) }

func (l *loop) run() {
	defer close(l.ended)
	defer close(l.tell)
	turn := time.NewTimer(time.Hour)
	defer turn.Stop()
	l.announce()
	for {
		now := l.now()
		l.dispatch(now)
		if at, ok := l.schedule.nextChange(); ok {
			turn.Reset(max(at-now, grain))
		}
		select {
		case <-l.stopping:
			l.giveBackAll()
			return
		case task := <-l.tasks:
			task()
		case k := <-l.issued:
			l.acceptIssued(k)
		case k := <-l.hints:
			l.acceptHint(k)
		case <-turn.C:
		}
	}
}

// stop ends the loop and waits for it.
func (l *loop) stop() {
	close(l.stopping)
	<-l.ended
	_ = l.p.Bus.Conn().FlushTimeout(time.Second) // what was given back is at the broker
}

// do has the loop run a task; false means that the loop stops and does not.
func (l *loop) do(task func()) bool {
	select {
	case l.tasks <- task:
		return true
	case <-l.stopping:
		return false
	}
}

// startPolling gives an invoice its first turn. Until it is answered, the last answer counts as being as old as it may be.
func (l *loop) startPolling(w *watch, now instant) {
	w.again = false
	w.ctx = seqr.WithAbout(l.p.inHand, w.key.String())
	w.overdue = w.loaded.OverdueAt != nil || !w.loaded.State.Open()
	if w.loaded.DueAt != nil {
		w.dueAt = *w.loaded.DueAt
	}
	age := max(0, l.p.Bus.Now().Sub(w.lease.Time))
	most := reversal // after a start it is not known when it was last asked about
	if w.lease.Redelivered {
		most = l.p.Bus.AckWait() // another copy held it, and can have been silent for so long
	}
	w.answered, w.asked = now-min(age, most), now
	w.unheard = max(0, l.p.longestSilence(w.lease, age)-min(age, most))
	due := now
	if age < l.p.Interval && !w.issuedHint && !(w.anyHint && l.schedule.allowHint(now)) {
		due += l.schedule.rand(l.p.Interval) // so that a burst of orders is no burst of polls
	}
	l.schedule.add(w, w.as.ID, due)
}

// acceptHint brings the next poll of an invoice forward, or its next load.
func (l *loop) acceptHint(k events.Key) {
	now := l.now()
	switch w := l.invoices[k]; {
	case w == nil:
		remember(l.earlyHints, k, now)
	case w.terminal == nil:
		w.anyHint = true
		l.loadSoon(w, w.loadBegun+reloadAfterHint)
	default:
		l.p.metrics.hints[l.schedule.pollHinted(w, now)].Inc()
	}
}

// acceptIssued has an invoice polled for the first time as soon as it is recorded. The invoicer says so once for each, so
// there is no budget for it.
func (l *loop) acceptIssued(k events.Key) {
	now := l.now()
	switch w := l.invoices[k]; {
	case w == nil:
		remember(l.earlyIssued, k, now)
	case w.terminal == nil:
		w.issuedHint = true
		l.loadSoon(w, now)
	case !w.polled:
		l.schedule.moveUp(w, now)
	}
}

// remember keeps a hint for an invoice that comes soon.
func remember(hints map[events.Key]instant, k events.Key, now instant) {
	if len(hints) < mostHints {
		hints[k] = now
	}
}

// dispatch begins the loads and calls that are due and may be made.
func (l *loop) dispatch(now instant) {
	l.toLoad = append(l.toLoad, l.schedule.advance(now)...)
	l.beginLoads()
	for w := l.schedule.next(now); w != nil; w = l.schedule.next(now) {
		late := max(0, now-w.due)
		l.worstLate = max(l.worstLate, late)
		l.p.metrics.lateness.Observe(late.Seconds())
		if l.p.Observe != nil {
			l.p.Observe(late)
		}
		l.underWay++
		go l.poll(w, w.lease)
	}
}

// poll asks the provider about an invoice once and does what the answer asks for. The call ends for the scheduler before
// its answer is recorded: a slow broker takes no call from other invoices.
func (l *loop) poll(w *watch, lease *bus.Lease) {
	a := l.p.askStatus(w)
	if a.isNothing() {
		l.tasks <- func() { l.finishCall(w, a); w.unrecorded = nil; l.finishPoll(w, lease, false) }
		return
	}
	l.tasks <- func() { l.finishCall(w, a) }
	gone, err := l.p.execute(w, lease, a.action)
	l.tasks <- func() { w.unrecorded = err; l.finishPoll(w, lease, gone) }
}

// finishCall learns from an answer, or from the lack of one.
func (l *loop) finishCall(w *watch, a answer) {
	w.said = a.said
	l.schedule.endCall(w, a.result, l.now())
	switch {
	case a.status:
		l.p.metrics.gap.Observe((w.asked - w.answered).Seconds())
		w.answered, w.failures, w.unheard = w.asked, 0, 0
	case a.result != resultNothing:
		w.failures++
	}
}

// finishPoll puts an invoice back into the timetable, unless it is gone: this copy does not hold it any more.
func (l *loop) finishPoll(w *watch, lease *bus.Lease, gone bool) {
	l.underWay--
	if gone {
		l.endEntry(w, lease)
	} else {
		l.schedule.putBack(w, l.now())
	}
}

// watch is one open invoice that this copy holds. The loop owns it. While the invoice is loaded, all of it belongs to the
// goroutine that loads it; while busy is set, the fields of the poll belong to the goroutine that polls.
type watch struct {
	key   events.Key
	lease *bus.Lease // of its entry, the newest: an entry that is put on the index again has taken the place of one that was removed
	seq   uint64     // of the entry
	kept  time.Time  // when it came back that was given back for the sake of balance
	lost  instant    // when it was found that the lease is lost; 0 while it is not

	// Until the invoice is known to be recorded.
	unrecordedSince instant // when it was first found that nothing is recorded
	unreadSince     instant // since when the broker does not give its events; 0 when it does
	loadBegun       instant // when the last load began
	anyHint         bool    // a hint came, which it is polled for as soon as it is recorded
	issuedHint      bool    // the invoicer has said that it is recorded

	// Of the scheduler.
	terminal   *terminal // nil until the invoice is known to be recorded
	place      int       // in its queue
	due        instant   // the next call, or the next load
	asked      instant   // when the last call began
	answered   instant   // when the call began that the provider last answered with a status
	polled     bool      // it was asked about at least once
	spread     bool      // its first poll is over
	busy       bool      // a call is under way, or what follows from it
	again      bool      // a hint came meanwhile
	unanswered bool      // the last call got no answer, or the answer that the provider is busy
	saidBusy   bool      // it got that answer
	doubted    bool      // the call under way began while its terminal was doubtful
	failures   int       // calls in a row without a status

	// Of the poll.
	ctx        context.Context // names the invoice in the record of exchanges
	as         seqr.Principal
	reference  string
	version    int
	loaded     bus.Loaded    // as it was when it came, for what has to be told of it where the stream has lost it
	nameless   int           // answers in a row that say PAID without the payment's ersReference
	unknown    int           // answers in a row that the provider knows no such invoice
	dueAt      time.Time     // the buyer's time is over
	overdue    bool          // that is recorded
	nextTry    instant       // when recording that is tried again
	unheard    time.Duration // how much longer than since answered it may be that no copy has asked
	said       string        // what the last call came to
	unrecorded error         // why that is not recorded, or not acted on; nil where it is, or there is nothing to record
}

// isDue says that the invoice waits for its terminal.
func (w *watch) isDue() bool { return w.terminal != nil && w.terminal.due.has(w) }

// urgency orders invoices that are due: the oldest answer first. An invoice that was last asked about in vain goes behind,
// or the invoices that hang would always be the first.
func (w *watch) urgency() instant {
	if w.unanswered {
		return max(w.answered, w.asked)
	}
	return w.answered
}
