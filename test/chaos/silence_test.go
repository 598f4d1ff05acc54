package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// silence is that the calls of one terminal get no answer until an order of the other shop has ended, which must not wait for them.
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
func (d draws) silences(s *schedule) {
	if !d.chance(20) || s.expectsReversals() || s.Replace > 0 {
		return
	}
	i := slices.IndexFunc(s.Orders, func(o order) bool { return s.endsByItself(o) && s.hasShop(opposite(o.shop())) })
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

// endsByItself says that nothing but its buyer's payment has to happen for the order to end.
func (s schedule) endsByItself(o order) bool {
	return o.Buyer == pays && o.Of == "" && len(o.Messages) == 1 && o.has(events.Placed) &&
		!slices.ContainsFunc(s.Orders, func(t order) bool { return t.Of == o.ID }) // with which it might be canceled
}

func opposite(shop string) string {
	if shop == otherShop {
		return "acme"
	}
	return otherShop
}

// silenceTerminal keeps the terminal silent.
func (sim *simulation) silenceTerminal(ctx context.Context, x silence) {
	if !pause(ctx, x.Delay) {
		return
	}
	sim.setSilent(x.Terminal)
	defer sim.setSilent("")
	if !sim.waitForEnd(ctx, x.Until) {
		sim.failf("%s waits for %s, which is silent", x.Until, x.Terminal)
	}
}

// waitForEnd waits until an order that ends by itself has ended. It gives false when that takes too long.
func (sim *simulation) waitForEnd(ctx context.Context, id string) bool {
	patience := time.NewTimer(sim.patience / 4)
	defer patience.Stop()
	select {
	case <-sim.signal(id, events.EventReceipted):
	case <-sim.signal(id, events.EventRejected):
	case <-sim.finishing:
	case <-ctx.Done():
	case <-patience.C:
		return false
	}
	return true
}

func (sim *simulation) setSilent(terminal string) {
	sim.logf("silent: %q", terminal)
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.silent = terminal
}

// getsNoAnswer says whether the terminal is silent; if so, it takes as long as such a call takes here.
func (sim *simulation) getsNoAnswer(ctx context.Context, terminal string) bool {
	sim.mu.Lock()
	silent := sim.silent == terminal
	sim.mu.Unlock()
	if silent {
		pause(ctx, 20*time.Millisecond)
	}
	return silent
}
