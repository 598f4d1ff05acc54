package demo

import (
	"context"
	"fmt"
	"slices"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Result says how it all ended.
type Result struct {
	Orders     int                  `json:"orders"`
	States     map[events.State]int `json:"states"` // how many invoices ended in each
	Parked     int                  `json:"parked"`
	Reversals  int                  `json:"reversals"`
	Unexpected []Unexpected         `json:"unexpected"`
	Balances   []audit.Balance      `json:"balances"`
	Seconds    float64              `json:"seconds"`
}

// Unexpected is something that did not end as it should: an order, a parked message that no scenario has, an event that the state
// table does not allow, or a difference to the provider's ledger.
type Unexpected struct {
	Order    string `json:"order"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
}

// Good says that everything ended as it should and that the money adds up.
func (r Result) Good() bool {
	return len(r.Unexpected) == 0 && r.Reversals == 0 &&
		!slices.ContainsFunc(r.Balances, func(b audit.Balance) bool { return !b.Difference.IsZero() })
}

// result reads every event anew, and compares with the scenarios and the provider's ledger.
func (p *player) result(ctx context.Context, shopOf map[string]string) (Result, error) {
	ledger := p.stack.Sandbox.Ledger()
	history, err := audit.Read(ctx, p.stack.Bus)
	if err != nil {
		return Result{}, err
	}
	last := history.Last()
	orders := map[[2]string]bool{} // several tries at paying an order count once
	for _, s := range p.scenarios {
		orders[[2]string{s.shop, s.order}] = true
	}
	r := Result{Orders: len(orders), States: map[events.State]int{}, Parked: len(p.parked), Reversals: len(ledger.Reversals),
		Unexpected: []Unexpected{}, Balances: audit.Balances(ledger, last, shopOf)}
	unexpected := func(order, expected, got string) {
		r.Unexpected = append(r.Unexpected, Unexpected{order, expected, got})
	}
	for _, inv := range last {
		r.States[inv.State]++
	}
	for _, s := range p.scenarios {
		switch inv := last[s.key]; {
		case s.malformed() && !p.ended[s]:
			unexpected(s.name, s.expected(), "not parked")
		case !s.malformed() && !s.endsAs(inv):
			unexpected(s.name, s.expected(), describe(inv))
		case s.web != nil && s.web.wrong(s.web.id) != "":
			unexpected(s.name, "paid once in the shop's own system ("+s.about+")", s.web.wrong(s.web.id))
		}
	}
	for _, parked := range p.parked {
		if !slices.ContainsFunc(p.scenarios, func(s *scenario) bool { return s.malformed() && s.steps[0].subject == parked.Subject }) {
			unexpected(parked.Subject, "not to be parked", parked.Reason)
		}
	}
	for _, problem := range history.Problems {
		unexpected("history", "events that the state table allows", problem)
	}
	for _, d := range audit.Compare(ledger, last).Differences {
		if d.Kind != audit.Reversal { // counted above
			unexpected("ledger", "what our events say", d.Text)
		}
	}
	return r, nil
}

func describe(inv events.Invoice) string {
	if inv.State == "" {
		return string(events.None)
	}
	text := fmt.Sprintf("%s (%s)", inv.State, inv.Change.Why)
	for _, r := range inv.Refunds {
		text += fmt.Sprintf(", refund %s %s", r.RefundID, r.Status)
	}
	return text
}
