package chaos

import (
	"context"
	"slices"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// otherShop has a terminal of its own.
const otherShop = "beta"

const (
	firstTerminal = "demo-terminal"
	newTerminal   = "new-terminal" // that the first shop has once its terminal is replaced
	otherTerminal = "beta-terminal"
	password      = "demo-secret"
)

func terminals() (all []sandbox.Terminal) {
	for _, id := range []string{firstTerminal, newTerminal, otherTerminal} {
		all = append(all, sandbox.Terminal{ID: id, Password: password, Name: id, Reseller: "demo-reseller"})
	}
	return all
}

// shops are the settings that one instance of a worker starts with.
type shops struct {
	replaced bool // the first shop has its new terminal, and the old one as an earlier one
	narrow   bool // without the other shop
}

// Terminal implements calls.Shops.
func (s shops) Terminal(shop string) (seqr.Principal, bool) {
	switch {
	case shop == rig.Shop && s.replaced:
		return seqr.Terminal(newTerminal, password), true
	case shop == rig.Shop:
		return seqr.Terminal(firstTerminal, password), true
	case shop == otherShop && !s.narrow:
		return seqr.Terminal(otherTerminal, password), true
	}
	return seqr.Principal{}, false
}

// TerminalOf implements calls.Shops.
func (s shops) TerminalOf(shop, terminal string) (seqr.Principal, bool) {
	if shop == rig.Shop && s.replaced && terminal == firstTerminal {
		return seqr.Terminal(firstTerminal, password), true
	}
	as, ok := s.Terminal(shop)
	return as, ok && as.ID == terminal
}

// settings gives the settings for an instance of the nth copy that starts now, and a channel that is closed when they change.
func (sim *simulation) settings(nth int) (shops, <-chan struct{}) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return shops{replaced: sim.replaced, narrow: sim.schedule.Narrow && nth > 0}, sim.renewed
}

// replaceTerminal replaces the first shop's terminal: every worker is ended and started again with the new settings.
func (sim *simulation) replaceTerminal(ctx context.Context) {
	if !pause(ctx, sim.schedule.Replace) {
		return
	}
	sim.logf("the terminal of %s is replaced", rig.Shop)
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.replaced = true
	close(sim.renewed)
	sim.renewed = make(chan struct{})
}

// settings draws which copies have which settings, and whether a terminal is replaced.
func (d draws) settings(s *schedule) {
	if s.Copies > 1 && d.chance(30) && !s.expectsReversals() {
		s.Narrow = true
	}
	if d.chance(10) {
		s.Replace = 1 + d.millis(400)
	}
}

// hasShop says that some order is the shop's.
func (s schedule) hasShop(shop string) bool {
	return slices.ContainsFunc(s.Orders, func(o order) bool { return o.shop() == shop })
}
