package notifier

import (
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// pace says when a destination is tried. One that has given no answer to silentAfter attempts in a row is silent: it is tried with one
// event at a time, after longer and longer pauses, until it takes one. It has no clock of its own, and is not safe for concurrent use.
type pace struct {
	probes   bus.Backoff
	failures int             // attempts without an answer, in a row
	until    time.Time       // nothing is sent before, by this machine's clock
	since    time.Time       // when it went silent, by the time of events
	last     commerce.Result // of the last attempt that failed
}

// silentAfter is how many attempts in a row fail before the destination is silent: the attempts of one bad order are further apart.
const silentAfter = 5

func (p *pace) down() bool { return p.failures >= silentAfter }

// pause gives how long nothing is sent.
func (p *pace) pause(now time.Time) time.Duration { return max(0, p.until.Sub(now)) }

// longestAsked is the longest pause that a destination may ask for.
const longestAsked = 24 * time.Hour

// learn takes what an attempt that began at an instant says about the destination: one without a status was none.
func (p *pace) learn(r commerce.Result, begun, now, eventTime time.Time) {
	switch {
	case r.Status == commerce.Again && p.down() && begun.Before(p.until):
		p.last, p.until = r, later(p.until, now.Add(min(r.After, longestAsked))) // it was under way when the destination went silent
	case r.Status == commerce.Again:
		p.last = r
		if p.failures++; p.failures == silentAfter {
			p.since = eventTime
		}
		pause := min(r.After, longestAsked)
		if p.down() {
			pause = max(pause, p.probes.After(p.failures-silentAfter+1))
		}
		p.until = later(p.until, now.Add(pause))
	case r.Status == commerce.Delivered, r.Status != "" && r.Code > 0:
		p.failures, p.until = 0, time.Time{}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// hopeless says whether an event is given up without an attempt of its own: it is older than patience, and the destination has been
// silent for long.
func (p *pace) hopeless(stored, now time.Time, patience time.Duration) bool {
	return p.down() && now.Sub(p.since) >= leastTries && now.Sub(stored) >= patience
}
