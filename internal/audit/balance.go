package audit

import (
	"cmp"
	"slices"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Balance is what one shop received in one currency: by our events, and by the provider's ledger.
type Balance struct {
	Shop        string        `json:"shop"`
	Currency    string        `json:"currency"`
	Paid        events.Amount `json:"paid"`
	Refunded    events.Amount `json:"refunded"`
	Net         events.Amount `json:"net"`         // paid less refunded, by our events
	ProviderNet events.Amount `json:"providerNet"` // payments less reversals and refunds, by the provider's ledger
	Difference  events.Amount `json:"difference"`  // Net less ProviderNet
}

// Balances adds up our invoices and the provider's ledger, sorted by shop and currency. ShopOf names the shop of each
// terminal; another terminal is called "terminal <id>".
func Balances(l sandbox.Ledger, last map[events.Key]events.Invoice, shopOf map[string]string) []Balance {
	type account struct{ shop, currency string }
	all := map[account]*Balance{}
	of := func(shop, currency string) *Balance {
		a := account{shop, currency}
		if all[a] == nil {
			all[a] = &Balance{Shop: shop, Currency: currency}
		}
		return all[a]
	}
	for _, inv := range last {
		if inv.Currency == "" {
			continue // canceled before there was an invoice
		}
		b := of(inv.Shop, inv.Currency)
		if inv.State.Paid() {
			b.Paid, b.Refunded = b.Paid.Add(inv.Total), b.Refunded.Add(inv.Refunded)
		}
	}
	addProvider := func(terminal, currency string, amount decimal.Decimal) {
		b := of(cmp.Or(shopOf[terminal], "terminal "+terminal), currency)
		b.ProviderNet = b.ProviderNet.Add(events.AmountOf(amount))
	}
	for _, p := range l.Payments {
		addProvider(p.Terminal, p.Currency, p.Amount)
	}
	for _, r := range l.Reversals {
		addProvider(r.Terminal, r.Currency, r.Amount.Neg())
	}
	for _, r := range l.Refunds {
		addProvider(r.Terminal, r.Currency, r.Amount.Neg())
	}
	out := []Balance{}
	for _, b := range all {
		b.Net = b.Paid.Sub(b.Refunded)
		b.Difference = b.Net.Sub(b.ProviderNet)
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Balance) int {
		return cmp.Or(cmp.Compare(a.Shop, b.Shop), cmp.Compare(a.Currency, b.Currency))
	})
	return out
}
