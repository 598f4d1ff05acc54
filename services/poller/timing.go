package poller

import "time"

// Every duration, rate and limit of the poller stands here with its reason. Where it is a choice of ours, the measurements are
// in docs/decisions/0010, 0024 and 0025, and in docs/performance.md.

// What the provider does.
const (
	// reversal is after how long the provider takes back a payment whose PAID nobody has fetched.
	reversal = 20 * time.Second
	// mayBeReversed is the time without an answer about an invoice in which a payment can have been made and reversed
	// unseen. The margin is for an answer that was on its way.
	mayBeReversed = reversal - time.Second
)

// When an invoice is polled.
const (
	defaultInterval = time.Second
	// leastInterval between two polls of one invoice, whatever hints come.
	leastInterval = 200 * time.Millisecond
	// maxFailing bounds the pause after polls that failed: a provider that comes back is found in time.
	maxFailing = 3 * time.Second
	// grain is the shortest pause of the loop.
	grain = time.Millisecond

	// hintedPerSecond and hintedBurst bound the polls that hints bring forward, of all invoices together.
	hintedPerSecond = 100
	hintedBurst     = 200
	// mostHints of a kind may wait for the loop, and are remembered for earlyHintFor for invoices that are not known yet.
	mostHints    = 4096
	earlyHintFor = 2 * time.Second
)

// How many calls are made at once, and how long each may take.
const (
	defaultConcurrency = 1024
	// callTimeout leaves room for more polls before a reversal when one is not answered.
	callTimeout = 5 * time.Second
	firstWindow = 32 // calls at once before a terminal has answered
	leastWindow = 4  // calls at once to a terminal that does not answer
	// silentEvery is how often a silent terminal is asked: it may refuse connections at once, and much may wait for it.
	silentEvery = 100 * time.Millisecond
	// silentLook is how often the silent terminals are gone through for one that may be asked.
	silentLook = 10 * time.Millisecond
	// stalledAfter is how long calls may be under way without any answer before a terminal is doubted.
	stalledAfter = 1500 * time.Millisecond
)

// What an answer leads to.
const (
	// recordTimeout bounds what an answer may cost while the broker fails: the next poll gets the same answer.
	recordTimeout = 2 * time.Second
	// recordAgain is the pause before an overdue that could not be recorded is tried again.
	recordAgain = 5 * time.Second
	// worryingAge is the age of the last answer at which an invoice is logged.
	worryingAge = 10 * time.Second
	// maxNameless is how often a PAID that does not name the payment is asked about again.
	maxNameless = 30
	// maxUnknown is how often the provider may deny an invoice before it is parked: about three minutes. One denial may be
	// a fault of the moment; an invoice that is paid and denied cannot be taken anyway.
	maxUnknown = 60
)

// How entries of the index are leased.
const (
	// ackWait is how long a poller may be silent before another takes its entries. After it comes, at worst, the election
	// of a leader at a cluster of brokers, some 9 s, and all of it is to end within the 20 s before a reversal.
	ackWait = 6 * time.Second
	// lostFor is how many times the bus's AckWait (10 s) this copy, once it is connected, goes on asking about an invoice whose lease is
	// lost. Another copy has the entry after ackWait, and after an election for each broker that dies meanwhile. That two
	// copies ask for a while does no harm, and that none asks may reverse a payment.
	lostFor = 6
	// settledAfter is how long a poller has to run before it knows that an entry that comes again was held by another copy
	// until ackWait ago. In the time before, it may be an entry that no copy has held since all pollers stopped.
	settledAfter = 2 * ackWait
	// loadsAtOnce is how many invoices are loaded at the same time.
	loadsAtOnce = 64

	// reloadEvery is how often an invoice of which nothing is recorded is loaded again while its order is being handled,
	// and reloadLater once that has taken reloadOftenFor. Its hint usually comes first.
	reloadEvery     = 500 * time.Millisecond
	reloadAfterHint = 100 * time.Millisecond // after a hint
	reloadOftenFor  = 30 * time.Second
	reloadLater     = 5 * time.Second

	// atOnce is the pause of what is given back for another copy to take. A broker that restarts forgets that there was to
	// be none, but not when a pause was to end.
	atOnce = time.Millisecond
	// leftToNewer is the pause before an invoice comes again that a newer version has recorded.
	leftToNewer = 5 * time.Second
	// notServedMost is the longest pause of an entry that this copy cannot poll.
	notServedMost = 5 * time.Second
	// grace is how long polls under way may take once the worker is to stop.
	grace = 3 * time.Second
)

// How copies share the entries.
const (
	// above the mean by this part and this number a copy has too much.
	tooMuchPart   = 4 // a quarter
	tooMuchNumber = 10
	// refusedFor is the pause of an entry that is left to a copy with less to poll.
	refusedFor = 250 * time.Millisecond
	// excessPart is the part of its entries that a copy gives back in one second.
	excessPart = 10
	// returnedMemory is how long an entry that was given back or not accepted is remembered.
	returnedMemory = time.Minute
	// cameBackWithin is how soon an entry comes again that no other copy has taken.
	cameBackWithin = 3 * time.Second
)
