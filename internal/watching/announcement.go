// Package watching tells how many open invoices no poller asks about.
//
//	announcement.go  pollers tell each other, and every process that listens, how many open invoices they hold
//	gauge.go         compares that with the index of open invoices, for metrics and for pollers
package watching

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Announcement is what a poller tells of itself once a second, at a full second of the broker's clock, so that the numbers of
// all pollers are of the same moment. It may be lost.
type Announcement struct {
	ID      string  `json:"-"`                 // of the process, a subject token
	Held    int     `json:"held"`              // entries of the index that it has a lease of
	Up      float64 `json:"up,omitempty"`      // seconds that it has been running
	Serves  string  `json:"serves,omitempty"`  // tells apart pollers that are set to serve different shops
	Leaving bool    `json:"leaving,omitempty"` // it stops
}

const prefix = "watching."

// Subjects are where pollers announce.
const Subjects = prefix + "*"

// livesFor is how long a poller that is not heard of counts as living.
const livesFor = 3 * time.Second

// Announce publishes what this poller tells of itself.
func Announce(b *bus.Bus, a Announcement) error {
	body, err := events.Encode(a)
	if err != nil {
		return err
	}
	return b.Publish(prefix+a.ID, body)
}

// Listen gives what every poller, this one too, tells of itself to take, one at a time, until ctx ends.
func Listen(ctx context.Context, b *bus.Bus, take func(Announcement)) error {
	err := b.Subscribe(ctx, Subjects, func(subject string, body []byte) {
		a := Announcement{ID: strings.TrimPrefix(subject, prefix)}
		if events.IsToken(a.ID) && json.Unmarshal(body, &a) == nil && a.Held >= 0 {
			take(a)
		}
	})
	if err == nil {
		<-ctx.Done()
	}
	return err
}

// EverySecond calls do at each full second of the broker's clock until ctx ends.
func EverySecond(ctx context.Context, b *bus.Bus, do func()) {
	for {
		now := b.Now()
		select {
		case <-ctx.Done():
			return
		case <-time.After(now.Truncate(time.Second).Add(time.Second).Sub(now)):
			do()
		}
	}
}

// Pollers are those that live, by what they announced last. The zero value is ready; it is safe for concurrent use.
type Pollers struct {
	mu    sync.Mutex
	heard map[string]announced
}

type announced struct {
	Announcement
	at time.Time
}

// Note takes an announcement in.
func (p *Pollers) Note(a Announcement, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heard == nil {
		p.heard = map[string]announced{}
	}
	if p.heard[a.ID] = (announced{a, now}); a.Leaving {
		delete(p.heard, a.ID)
	}
}

// Living gives the pollers that were heard of in the last 3 s, by their ids.
func (p *Pollers) Living(now time.Time) map[string]Announcement {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]Announcement, len(p.heard))
	for id, a := range p.heard {
		if now.Sub(a.at) > livesFor {
			delete(p.heard, id)
			continue
		}
		out[id] = a.Announcement
	}
	return out
}

// Held is how many entries of the index the living pollers hold together.
func (p *Pollers) Held(now time.Time) (n int) {
	for _, a := range p.Living(now) {
		n += a.Held
	}
	return n
}
