package poller

import (
	"context"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

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
	unanswered bool      // the last call got no answer at all
	doubted    bool      // the call under way began while its terminal was doubtful
	failures   int       // calls in a row without a status

	// Of the poll.
	ctx       context.Context // names the invoice in the record of exchanges
	as        seqr.Principal
	reference string
	version   int
	loaded    bus.Loaded    // as it was when it came, for what has to be told of it where the stream has lost it
	nameless  int           // answers in a row that say PAID without the payment's ersReference
	unknown   int           // answers in a row that the provider knows no such invoice
	dueAt     time.Time     // the buyer's time is over
	overdue   bool          // that is recorded
	nextTry   instant       // when recording that is tried again
	unheard   time.Duration // how much longer than since answered it may be that no copy has asked
	said      string        // what the last call came to
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
