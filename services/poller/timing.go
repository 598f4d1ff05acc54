package poller

import "time"

const (
	// reversal is after how long the provider takes back a payment whose PAID nobody fetched.
	reversal = 20 * time.Second
	// worrying is the age of the last answer at which an invoice is logged.
	worrying = 10 * time.Second
	// maxFailing bounds the pause after polls that failed: a provider that comes back is found in time.
	maxFailing = 3 * time.Second
	// callTimeout leaves room for more polls before a reversal when one is not answered.
	callTimeout = 5 * time.Second
	// recordTimeout bounds what an answer may cost while the broker fails: the next poll gets the same answer.
	recordTimeout = 2 * time.Second
	// recordAgain is the pause before an overdue that could not be recorded is tried again.
	recordAgain = 5 * time.Second
	// grace is how long polls under way may take once the worker is to stop.
	grace = 3 * time.Second

	// leastInterval between two polls of one invoice, whatever hints come.
	leastInterval = 200 * time.Millisecond
	// hintedPerSecond and hintedBurst bound the polls that hints bring forward, of all invoices together.
	hintedPerSecond = 100
	hintedBurst     = 200
	// earlyHint is how long a hint is remembered for an invoice that is not held yet.
	earlyHint = 2 * time.Second

	// maxNameless is how often a PAID that does not name the payment is asked about again.
	maxNameless = 30
	// maxUnknown is how often the provider may deny an invoice before it is parked: about three minutes. One denial may be
	// a fault of the moment; an invoice that is paid and denied cannot be taken anyway.
	maxUnknown = 60

	// ackWait is how long a poller may be silent before another takes its entries. After it comes, at worst, the election
	// of a leader at a cluster of brokers, some 9 s, and all of it is to end within the 20 s before a reversal.
	ackWait = 6 * time.Second
	// preparingEvery is how often an invoice of which nothing is recorded is looked at while its order is being handled,
	// and preparingLater once that has taken preparingFor. Its hint usually comes first.
	preparingEvery = 500 * time.Millisecond
	preparingLeast = 100 * time.Millisecond // after a hint
	preparingFor   = 30 * time.Second
	preparingLater = 5 * time.Second
	// atOnce is the pause of what is given back for another copy to take. A broker that restarts forgets that there was to
	// be none, but not when a pause was to end.
	atOnce = time.Millisecond
	// leftToNewer is the pause before an invoice comes again that a newer version has recorded.
	leftToNewer = 5 * time.Second
	// refusedFor is the pause of an entry that is left to a copy with less to poll, and notServedMost the longest of one that
	// this copy cannot poll.
	refusedFor    = 250 * time.Millisecond
	notServedMost = 5 * time.Second
)
