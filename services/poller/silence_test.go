package poller

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
)

// Only a poller that has run for a while, or hears one that has, knows that an entry that comes again was held until lately.
func TestSilenceIsNeverThoughtShorterThanItMayBe(t *testing.T) {
	b := &bus.Bus{}
	const age = time.Hour
	for name, c := range map[string]struct {
		ran, other  time.Duration
		redelivered bool
		want        time.Duration
	}{
		"never delivered before":                       {ran: time.Hour, want: age},
		"after a start, nobody else is there":          {redelivered: true, want: age},
		"after a start, the others have just started":  {redelivered: true, other: time.Second / 2, want: age},
		"after a start, another has run all the while": {redelivered: true, other: time.Hour, want: b.AckWait()},
		"this copy has run all the while":              {redelivered: true, ran: time.Hour, want: b.AckWait()},
	} {
		p := &Worker{started: time.Now().Add(-c.ran - time.Millisecond), roll: &watching.Pollers{}}
		p.Bus = b
		p.roll.Note(watching.Announcement{ID: "other", Up: c.other.Seconds()}, time.Now())
		if c.other == 0 {
			p.roll.Note(watching.Announcement{ID: "other", Leaving: true}, time.Now())
		}
		l := &bus.Lease{}
		l.Redelivered = c.redelivered
		if got := p.silence(l, age); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
