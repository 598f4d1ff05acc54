package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Result is how it all ended.
type Result struct {
	Orders     int                  `json:"orders"`
	States     map[events.State]int `json:"states"`
	Parked     int                  `json:"parked"`
	Reversals  int                  `json:"reversals"`
	Unexpected []Unexpected         `json:"unexpected"`
	Balances   []Balance            `json:"balances"`
	Seconds    float64              `json:"seconds"`
}

// Unexpected is an order that did not end as its story says, or a parked message that no story has.
type Unexpected struct {
	Order    string `json:"order"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
}

// Balance holds our ledger of one shop and currency against the provider's.
type Balance struct {
	Shop        string        `json:"shop"`
	Currency    string        `json:"currency"`
	Paid        events.Amount `json:"paid"`
	Refunded    events.Amount `json:"refunded"`
	Net         events.Amount `json:"net"`
	ProviderNet events.Amount `json:"providerNet"`
	Difference  events.Amount `json:"difference"`
}

// Good says that everything ended as it should and that the money adds up.
func (r Result) Good() bool {
	return len(r.Unexpected) == 0 && r.Reversals == 0 &&
		!slices.ContainsFunc(r.Balances, func(b Balance) bool { return !b.Difference.IsZero() })
}

// settle reads the last event of every invoice anew, and compares with the stories and the provider's ledger.
func (d *director) settle(ctx context.Context, c cast) (Result, error) {
	ledger := d.stack.Sandbox().Ledger()
	r := Result{Orders: d.orders(), States: map[events.State]int{}, Parked: len(d.parked), Reversals: len(ledger.Reversals), Unexpected: []Unexpected{}}
	books := accounts{}
	malformed := 0
	seen := map[events.Key]bool{}
	for _, s := range d.stories {
		if s.malformed() {
			if malformed++; !d.over[s] {
				r.Unexpected = append(r.Unexpected, Unexpected{s.name, s.expected(), "not parked"})
			}
			continue
		}
		inv, err := d.stack.Bus().Load(ctx, s.key)
		if err != nil {
			return r, err
		}
		got := standing(inv.Invoice)
		if !s.ended(inv.Invoice) {
			r.Unexpected = append(r.Unexpected, Unexpected{s.name, s.expected(), got})
		}
		if inv.Seq > 0 && !seen[s.key] {
			seen[s.key] = true
			r.States[inv.State]++
			books.ours(inv.Invoice)
		}
	}
	for _, p := range d.parked {
		if !d.expectsParked(p) {
			r.Unexpected = append(r.Unexpected, Unexpected{p.Subject, "not to be parked", p.Reason})
		}
	}
	books.theirs(ledger, c.shopOf)
	r.Balances = books.list()
	return r, nil
}

// orders are counted once, however often their payment is tried.
func (d *director) orders() int {
	all := map[[2]string]bool{}
	for _, s := range d.stories {
		all[[2]string{s.shop, s.order}] = true
	}
	return len(all)
}

// expectsParked says whether some story has a malformed event on this subject.
func (d *director) expectsParked(p events.Parked) bool {
	return slices.ContainsFunc(d.stories, func(s *story) bool { return s.malformed() && s.steps[0].subject == p.Subject })
}

func standing(inv events.Invoice) string {
	if inv.State == "" {
		return string(events.None)
	}
	text := fmt.Sprintf("%s (%s)", inv.State, inv.Change.Why)
	for _, r := range inv.Refunds {
		text += fmt.Sprintf(", refund %s %s", r.RefundID, r.Status)
	}
	return text
}

type account struct{ shop, currency string }

// accounts are the balances under way.
type accounts map[account]*Balance

func (a accounts) of(shop, currency string) *Balance {
	k := account{shop, currency}
	if a[k] == nil {
		a[k] = &Balance{Shop: shop, Currency: currency}
	}
	return a[k]
}

func (a accounts) ours(inv events.Invoice) {
	if inv.Currency == "" {
		return
	}
	b := a.of(inv.Shop, inv.Currency)
	if inv.State.Paid() {
		b.Paid, b.Refunded = b.Paid.Add(inv.Total), b.Refunded.Add(inv.Refunded)
	}
}

// theirs is what the provider's own ledger says: payments, less what was reversed and refunded.
func (a accounts) theirs(l sandbox.Ledger, shopOf map[string]string) {
	add := func(terminal, currency string, amount decimal.Decimal) {
		b := a.of(cmp.Or(shopOf[terminal], "terminal "+terminal), currency)
		b.ProviderNet = b.ProviderNet.Add(events.AmountOf(amount))
	}
	for _, p := range l.Payments {
		add(p.Terminal, p.Currency, p.Amount)
	}
	for _, r := range l.Reversals {
		add(r.Terminal, r.Currency, r.Amount.Neg())
	}
	for _, r := range l.Refunds {
		add(r.Terminal, r.Currency, r.Amount.Neg())
	}
}

func (a accounts) list() []Balance {
	out := []Balance{}
	for _, b := range a {
		b.Net = b.Paid.Sub(b.Refunded)
		b.Difference = b.Net.Sub(b.ProviderNet)
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Balance) int {
		return cmp.Or(cmp.Compare(a.Shop, b.Shop), cmp.Compare(a.Currency, b.Currency))
	})
	return out
}
