package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Kind says what a difference is about.
type Kind string

// The kinds of differences.
const (
	Reversal Kind = "reversal" // the provider took a payment back, since its status was not fetched in time
	Payment  Kind = "payment"  // paid on one side alone, or as another payment, amount or currency
	Status   Kind = "status"   // unpaid on both sides, and not in the same state
	Refund   Kind = "refund"   // refunded on one side alone, or another amount; or not settled
	Receipt  Kind = "receipt"  // the payment has no receipt on one side
)

// Difference is one point in which our invoices and the provider's ledger disagree.
type Difference struct {
	Kind Kind
	Text string
}

func (d Difference) String() string { return string(d.Kind) + ": " + d.Text }

// Comparison is what comes of comparing our invoices with the provider's ledger.
type Comparison struct {
	Differences []Difference
	Unknown     []events.Key // the invoice of each refund of which it is not known whether the provider made it
	Unrecorded  int          // the provider's invoices that no event names: no buyer has seen them
}

// Compare compares our invoices, each as its last event has it, with the provider's ledger.
// A refund whose outcome is unknown may be in the ledger or not.
func Compare(l sandbox.Ledger, last map[events.Key]events.Invoice) Comparison {
	s := sidesOf(l)
	for _, r := range l.Reversals {
		s.differ(Reversal, "payment %s of %s was reversed at %s: %s", r.ErsReference, r.ClientInvoiceID, r.At.Format("15:04:05.000"), r.Reason)
	}
	for _, k := range slices.SortedFunc(maps.Keys(last), func(a, b events.Key) int { return cmp.Compare(a.String(), b.String()) }) {
		inv := last[k]
		if inv.InvoiceReference == "" {
			continue
		}
		provider, ok := s.invoices[inv.InvoiceReference]
		if !ok {
			s.differ(Payment, "%s: the provider has no invoice %s", k, inv.InvoiceReference)
			continue
		}
		delete(s.invoices, inv.InvoiceReference)
		s.comparePayment(k, inv, provider)
		s.compareRefunds(k, inv, provider)
		s.compareReceipts(k, inv, provider)
	}
	s.reportUnrecorded()
	return s.Comparison
}

// providerInvoice is one invoice in the ledger with all that belongs to it.
type providerInvoice struct {
	sandbox.Invoice
	payments []sandbox.Payment // those that were not reversed
	refunds  []sandbox.Refund
	receipts int
}

// sides is a comparison that is being made.
type sides struct {
	Comparison
	invoices map[string]*providerInvoice // by invoiceReference; those that were not compared yet
}

func sidesOf(l sandbox.Ledger) *sides {
	s := &sides{invoices: make(map[string]*providerInvoice, len(l.Invoices))}
	of := func(reference string) *providerInvoice {
		if s.invoices[reference] == nil {
			s.invoices[reference] = &providerInvoice{}
		}
		return s.invoices[reference]
	}
	for _, i := range l.Invoices {
		of(i.InvoiceReference).Invoice = i
	}
	for _, p := range l.Payments {
		if p.ReversedAt.IsZero() {
			i := of(p.InvoiceReference)
			i.payments = append(i.payments, p)
		}
	}
	for _, r := range l.Refunds {
		i := of(r.InvoiceReference)
		i.refunds = append(i.refunds, r)
	}
	for _, r := range l.Receipts {
		of(r.InvoiceReference).receipts++
	}
	return s
}

func (s *sides) differ(kind Kind, format string, args ...any) {
	s.Differences = append(s.Differences, Difference{kind, fmt.Sprintf(format, args...)})
}

// comparePayment checks that the invoice is paid here if and only if it is paid there, once and with the same amount.
func (s *sides) comparePayment(k events.Key, ours events.Invoice, provider *providerInvoice) {
	if ours.Currency != provider.Currency || ours.Total.Decimal().Cmp(provider.Total) != 0 {
		s.differ(Payment, "%s: we invoice %s %s, the provider %s %s", k, ours.Total, ours.Currency, provider.Total, provider.Currency)
	}
	switch paid := ours.State.Paid(); {
	case paid && len(provider.payments) != 1, !paid && len(provider.payments) > 0:
		s.differ(Payment, "%s: is %s, and the provider has %d payments", k, ours.State, len(provider.payments))
	case !paid && string(ours.State) != string(provider.Status) && !withdrawn(ours.State, provider.Status):
		s.differ(Status, "%s: is %s, and the provider says %s", k, ours.State, provider.Status)
	case paid:
		p := provider.payments[0]
		if p.ErsReference != ours.ErsReference || p.Currency != ours.Currency || p.Amount.Cmp(ours.Total.Decimal()) != 0 {
			s.differ(Payment, "%s: is paid as %s with %s %s, at the provider as %s with %s %s",
				k, ours.ErsReference, ours.Total, ours.Currency, p.ErsReference, p.Amount, p.Currency)
		}
	}
}

// withdrawn says that an invoice whose time was over is called EXPIRED by us and CANCELED by the provider.
func withdrawn(ours events.State, provider sandbox.Status) bool {
	return ours == events.Expired && provider == sandbox.Canceled
}

// compareRefunds pairs every refund there with one here.
func (s *sides) compareRefunds(k events.Key, ours events.Invoice, provider *providerInvoice) {
	take := func(fits func(sandbox.Refund) bool) bool {
		i := slices.IndexFunc(provider.refunds, fits)
		if i >= 0 {
			provider.refunds = slices.Delete(provider.refunds, i, i+1)
		}
		return i >= 0
	}
	// A refund that was proved by the provider's limit has no reference: it takes what those with one leave.
	for _, named := range []bool{true, false} {
		for _, r := range ours.Refunds {
			if r.Status == events.RefundDone && (r.ErsReference != "") == named && !take(func(t sandbox.Refund) bool {
				return t.Amount.Cmp(r.Amount.Decimal()) == 0 && (!named || t.ErsReference == r.ErsReference)
			}) {
				s.differ(Refund, "%s: our refund %q of %s (%s) is not at the provider", k, r.RefundID, r.Amount, r.ErsReference)
			}
		}
	}
	for _, r := range ours.Refunds {
		switch r.Status {
		case events.RefundUnknown:
			s.Unknown = append(s.Unknown, k)
			take(func(t sandbox.Refund) bool { return t.Amount.Cmp(r.Amount.Decimal()) == 0 })
		case events.RefundSending, events.RefundWaiting:
			s.differ(Refund, "%s: refund %q is still %s", k, r.RefundID, r.Status)
		}
	}
	for _, r := range provider.refunds {
		s.differ(Refund, "%s: the provider refunded %s (%s), which no refund of ours explains", k, r.Amount, r.ErsReference)
	}
}

func (s *sides) compareReceipts(k events.Key, ours events.Invoice, provider *providerInvoice) {
	recorded := len(ours.Receipts)
	if ours.State.Paid() && (provider.receipts == 0 || recorded == 0) || provider.receipts < recorded {
		s.differ(Receipt, "%s: is %s with %d receipts, and the provider has %d", k, ours.State, recorded, provider.receipts)
	}
}

// reportUnrecorded looks through what is left of the ledger. An invoice that no event names is harmless while it is unpaid: its
// answer was lost, and its QR code was shown to no buyer.
func (s *sides) reportUnrecorded() {
	for _, reference := range slices.Sorted(maps.Keys(s.invoices)) {
		provider := s.invoices[reference]
		s.Unrecorded++
		if len(provider.payments) > 0 || len(provider.refunds) > 0 {
			s.differ(Payment, "the provider's invoice %s of %s is paid, and no event names it", reference, provider.ClientInvoiceID)
		}
	}
}
