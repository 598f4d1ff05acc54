package bus

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// serving is how the copies of a worker ask each other which of them have the credentials of a shop, or of one of its terminals: on
// serving.<worker>, which no stream keeps, with "ask", and with "yes" from each copy that has them.
type serving struct {
	bus  *Bus
	spec Consumer

	mu    sync.Mutex
	said  map[string]time.Time // when this copy said a text last
	heard map[string]time.Time // when another copy said yes last, by what it has
}

const (
	// answerFor is how long the other copies are given to say yes.
	answerFor = time.Second
	// heardFor is how long a yes counts.
	heardFor = 5 * time.Second
	// sayAgain is how soon the same may be said again.
	sayAgain = answerFor / 4
)

// ServingPrefix stands before a worker's name in the subject where its copies ask each other.
const ServingPrefix = "serving."

// ServingSubject gives the subject where the copies of a worker ask each other for credentials.
func ServingSubject(worker string) string { return ServingPrefix + events.Token(worker) }

func newServing(b *Bus, c Consumer) *serving {
	return &serving{bus: b, spec: c, said: map[string]time.Time{}, heard: map[string]time.Time{}}
}

// listen answers, and hears answers, until stop is called.
func (s *serving) listen() (stop func(), err error) {
	return s.bus.Subscribe(ServingSubject(s.spec.Worker), func(_ string, text []byte) { s.hear(string(text)) })
}

func (s *serving) hear(text string) {
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
func (s *serving) has(shop, terminal string) bool {
	if _, err := s.spec.Serves(shop); err != nil {
		return false
	}
	return terminal == "-" || s.spec.Has != nil && s.spec.Has(shop, terminal)
}

// say publishes the text, unless it did so a moment ago.
func (s *serving) say(text string) {
	now := time.Now()
	s.mu.Lock()
	again := now.Sub(s.said[text]) < sayAgain
	if !again {
		s.said[text] = now
	}
	s.mu.Unlock()
	if !again {
		_ = s.bus.Publish(ServingSubject(s.spec.Worker), []byte(text)) // without an answer it is asked again
	}
}

// elsewhere says whether another copy has the credentials. It asks and waits for an answer, unless it heard one just now.
func (s *serving) elsewhere(ctx context.Context, shop, terminal string) bool {
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
