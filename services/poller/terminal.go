package poller

import (
	"time"

	"github.com/seqrflow/seqrflow/internal/window"
)

const (
	firstWindow = 32 // calls at once before a terminal has answered
	leastWindow = 4  // when it is silent
	// silentEvery is how often a silent terminal is asked: it may refuse connections at once, and much may wait for it.
	silentEvery = 100 * time.Millisecond
	// stalledAfter is how long calls may be under way without any answer before a terminal is doubted.
	stalledAfter = 1500 * time.Millisecond
)

// terminal is what the scheduler knows of one terminal at the provider.
type terminal struct {
	id       string
	window   window.Window
	due      queue[*watch] // its invoices that are due
	waits    wait
	doubtful bool    // as it was when it was last considered
	proved   bool    // it has answered since the worker was made
	missed   bool    // the last call got no answer
	begun    instant // when it last had no call under way before one began
	heard    instant // the last answer
	last     instant // the last call's beginning
	rests    instant // not before this is it asked while it is silent

	place int
	key   instant // its order among the terminals
}

func (t *terminal) at() *int { return &t.place }

// wait is what keeps a terminal from being asked.
type wait int

const (
	waitsForNothing wait = iota
	waitsForAnswer       // its window is used up
	waitsForShare        // it is doubtful, and the part of all calls that such terminals have is used up
	waitsForRoom         // it has much under way, and the last quarter of all calls is for those that have little
	waitsForRest         // it is silent and was asked a moment ago
)

// doubt says that a terminal may not answer: all such terminals share a quarter of the calls.
func (t *terminal) doubt(now instant) bool {
	stalled := t.window.Busy() > 0 && now-max(t.begun, t.heard) > stalledAfter
	return !t.proved || stalled || t.missed || t.window.Silent()
}

// rank sets the terminal's order: that of its first invoice. One that may not answer has always waited the longest, so
// such terminals take turns instead.
func (t *terminal) rank() {
	if t.key = t.due.first().urgency(); t.doubtful {
		t.key = max(t.key, t.last)
	}
}
