package bus

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// served is how the copies of a worker ask each other which of them has the credentials of a shop, or of one of its terminals.
// They do so on serving.<worker>, which no stream keeps: "ask", and "yes" from each copy that has them.
type served struct {
	bus  *Bus
	spec Consumer

	mu    sync.Mutex
	asked map[string]time.Time // when this copy last asked or answered, by what it said
	heard map[string]time.Time // when another copy last said yes
}

const (
	// answerFor is how long the other copies are given to say yes.
	answerFor = time.Second
	// heardFor is how long a yes counts.
	heardFor = 5 * time.Second
	// sayAgain is how soon the same may be said again.
	sayAgain = answerFor / 4
)

// ServingPrefix is before a worker's name in the subject where its copies ask each other.
const ServingPrefix = "serving."

// ServingSubject is where the copies of a worker ask each other.
func ServingSubject(worker string) string { return ServingPrefix + events.Token(worker) }

func newServed(b *Bus, c Consumer) *served {
	return &served{bus: b, spec: c, asked: map[string]time.Time{}, heard: map[string]time.Time{}}
}

// listen answers and hears answers until the returned function is called.
func (s *served) listen() (stop func(), err error) {
	return s.bus.Subscribe(ServingSubject(s.spec.Worker), func(_ string, text []byte) { s.hear(string(text)) })
}

func (s *served) hear(text string) {
	word, what, _ := strings.Cut(text, " ")
	f := strings.Split(what, " ")
	if len(f) != 3 || f[0] != s.spec.Name {
		return
	}
	switch word {
	case "yes":
		s.mu.Lock()
		s.heard[what] = time.Now()
		s.mu.Unlock()
	case "ask":
		if s.has(f[1], f[2]) {
			s.say("yes " + what)
		}
	}
}

// has says whether this copy has the credentials: of the shop, by its subject token, and of its terminal unless that is "-".
func (s *served) has(shop, terminal string) bool {
	if _, err := s.spec.Serves(shop); err != nil {
		return false
	}
	return terminal == "-" || s.spec.Has != nil && s.spec.Has(shop, terminal)
}

func (s *served) say(text string) {
	now := time.Now()
	s.mu.Lock()
	again := now.Sub(s.asked[text]) < sayAgain
	if !again {
		s.asked[text] = now
	}
	s.mu.Unlock()
	if !again {
		_ = s.bus.Publish(ServingSubject(s.spec.Worker), []byte(text)) // without an answer it is asked again
	}
}

// elsewhere says whether another copy has the credentials; it asks and waits for an answer unless there was one just now.
func (s *served) elsewhere(ctx context.Context, shop, terminal string) bool {
	if terminal == "" {
		terminal = "-"
	}
	what := s.spec.Name + " " + shop + " " + terminal
	heard := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return time.Since(s.heard[what]) < heardFor
	}
	if heard() {
		return true
	}
	s.say("ask " + what)
	return !pause(ctx, answerFor) || heard() // a copy that ends decides nothing
}
