package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// silence of one terminal: its calls get no answer until an order of the other shop has ended, which so must not wait.
type silence struct {
	Terminal string
	Delay    time.Duration
	Until    string // this order has ended
}

func (x silence) String() string {
	return fmt.Sprintf("the terminal %s is silent from %s on, until %s has ended", x.Terminal, x.Delay, x.Until)
}

// silences draws whether a terminal is silent. The order that must not wait is one that ends by itself; time may stand still
// meanwhile, so nothing may wait for it.
func (d dice) silences(s *schedule) {
	if !d.chance(20) || s.neglects() || s.Replace > 0 {
		return
	}
	i := slices.IndexFunc(s.Orders, func(o order) bool {
		return o.Buyer == pays && o.Of == "" && len(o.Messages) == 1 && o.has(events.Placed) && s.hasShop(opposite(o.shop())) &&
			!slices.ContainsFunc(s.Orders, func(t order) bool { return t.Of == o.ID }) // with which it might be canceled
	})
	if i < 0 {
		return
	}
	terminal := otherTerminal
	if s.Orders[i].Other {
		terminal = firstTerminal
	}
	s.Silence = &silence{terminal, d.millis(200), s.Orders[i].ID}
	for j := range s.Faults {
		if f := &s.Faults[j]; f.Kind == sandbox.FaultDelay {
			f.Kind, f.Delay = sandbox.FaultSOAP, 0
		}
	}
}

func opposite(shop string) string {
	if shop == otherShop {
		return "acme"
	}
	return otherShop
}

// hush keeps the terminal silent.
func (w *world) hush(ctx context.Context, x silence) {
	if !pause(ctx, x.Delay) {
		return
	}
	w.silence(x.Terminal)
	defer w.silence("")
	patience := time.NewTimer(w.patience / 4)
	defer patience.Stop()
	select {
	case <-w.signal(x.Until, events.EventReceipted):
	case <-w.signal(x.Until, events.EventRejected):
	case <-w.flush:
	case <-ctx.Done():
	case <-patience.C:
		w.fault("%s waits for %s, which is silent", x.Until, x.Terminal)
	}
}

func (w *world) silence(terminal string) {
	w.note("silent: %q", terminal)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = terminal
}

// unheard waits as long as a call to a silent terminal takes here.
func (w *world) unheard(ctx context.Context, terminal string) bool {
	w.mu.Lock()
	silent := w.silent == terminal
	w.mu.Unlock()
	if silent {
		pause(ctx, 20*time.Millisecond)
	}
	return silent
}
