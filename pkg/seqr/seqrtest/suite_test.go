package seqrtest

import (
	"context"
	"testing"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// target is a provider to check.
type target struct {
	Config   seqr.Config
	Terminal seqr.Principal // a webshop: it may have any number of open invoices
	Reseller seqr.Principal // owns the terminal; without its ID, the checks of terminals and periods are skipped
	Currency string         // the terminal's
	Buyer    Wallet         // pays; without one, the checks that need a payment are skipped
	// Wait returns when the time has passed at the provider.
	Wait func(context.Context, time.Duration) error
}

// checkProvider checks that a provider does what every provider must do, in one subtest per check. It makes invoices and
// payments there, of a few units of the currency each.
func checkProvider(t *testing.T, provider target) {
	provider.Config.ClientID, provider.Config.ClientReference = "Conformance AB", "seqrtest/1"
	client, err := seqr.New(provider.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdle)
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			switch {
			case c.buyer && provider.Buyer == "":
				t.Skip("the target has no buyer")
			case c.reseller && provider.Reseller.ID == "":
				t.Skip("the target has no reseller")
			}
			c.check(&suite{T: t, target: provider, client: client})
		})
	}
}

type check struct {
	name            string
	buyer, reseller bool // the check needs them
	check           func(*suite)
}

func cases() []check {
	return []check{
		{name: "BenchmarkingNop", check: benchmarkingNop},
		{name: "PrincipalsThatAreRefused", check: refusedPrincipals},
		{name: "ResellersThatAreRefused", reseller: true, check: refusedResellers},
		{name: "InvoiceIsIssued", check: invoiceIsIssued},
		{name: "EachInvoiceIsItsOwn", check: eachInvoiceIsItsOwn},
		{name: "InvoicesThatAreRefused", check: refusedInvoices},
		{name: "UnknownReferences", check: unknownReferences},
		{name: "InvoiceIsCanceled", check: invoiceIsCanceled},
		{name: "InvoiceIsChanged", check: invoiceIsChanged},
		{name: "FetchedPaymentStays", buyer: true, check: fetchedPaymentStays},
		{name: "PaymentNotFetchedIsReversed", buyer: true, check: unfetchedPaymentIsReversed},
		{name: "DeclinedIsCanceled", buyer: true, check: declinedIsCanceled},
		{name: "PaidCannotBeCanceled", buyer: true, check: paidCannotBeCanceled},
		{name: "Receipts", buyer: true, check: receipts},
		{name: "Refunds", buyer: true, check: refunds},
		{name: "Reservation", buyer: true, check: reservation},
		{name: "PreliminaryAmount", buyer: true, check: preliminaryAmount},
		{name: "Loyalty", buyer: true, check: loyalty},
		{name: "Till", reseller: true, check: till},
		{name: "Closing", buyer: true, reseller: true, check: closing},
	}
}

// suite has the helpers of one check.
type suite struct {
	*testing.T
	target
	client *seqr.Client
}

func (s *suite) amount(value string) seqr.Amount {
	s.Helper()
	d, err := decimal.Parse(value)
	s.must(err)
	return seqr.Amount{Currency: s.Currency, Value: d}
}

func (s *suite) invoice(total string) seqr.Invoice {
	s.Helper()
	return seqr.Invoice{
		Title: "Conformance & co, smörgås", ClientInvoiceID: "seqrtest-" + s.Name(), Total: s.amount(total),
		Rows: []seqr.InvoiceRow{{Description: "One thing", Quantity: decimal.One, Total: s.amount(total)}},
	}
}

// issue issues an invoice and returns its reference.
func (s *suite) issue(v seqr.Invoice) string {
	s.Helper()
	sent, err := s.client.SendInvoice(s.Context(), seqr.SendInvoice{As: s.Terminal, Invoice: v})
	s.must(err)
	return sent.Reference
}

func (s *suite) status(reference string, version int) seqr.PaymentStatus {
	s.Helper()
	p, err := s.client.GetPaymentStatus(s.Context(), seqr.GetPaymentStatus{As: s.Terminal, InvoiceReference: reference, Version: version})
	s.must(err)
	return p
}

// expect returns the status, which must be want.
func (s *suite) expect(reference string, want seqr.InvoiceStatus) seqr.PaymentStatus {
	s.Helper()
	p := s.status(reference, 0)
	if p.Status != want {
		s.Fatalf("the status of %s is %s; want %s", reference, p.Status, want)
	}
	return p
}

func (s *suite) pay(reference string) {
	s.Helper()
	if err := s.Buyer.Pay(s.Context(), reference); err != nil {
		s.Fatalf("the buyer could not pay %s: %v", reference, err)
	}
}

// paid makes a payment and returns its ersReference.
func (s *suite) paid(total string) string {
	s.Helper()
	reference := s.issue(s.invoice(total))
	s.pay(reference)
	return s.expect(reference, seqr.StatusPaid).ErsReference
}

func (s *suite) cancel(reference string) error {
	return s.client.CancelInvoice(s.Context(), seqr.CancelInvoice{As: s.Terminal, InvoiceReference: reference})
}

func (s *suite) refund(payment string, v seqr.Invoice) (string, error) {
	r, err := s.client.RefundPayment(s.Context(), seqr.RefundPayment{As: s.Terminal, ErsReference: payment, Invoice: v})
	return r.ErsReference, err
}

func (s *suite) wait(d time.Duration) {
	s.Helper()
	s.must(s.Wait(s.Context(), d))
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// refusedSomehow checks for a refusal where the description of the interface names no code.
func (s *suite) refusedSomehow(what string, err error) {
	s.Helper()
	if seqr.Classify(err) != seqr.Refused {
		s.Errorf("%s: %v; want it to be refused", what, err)
	}
}

// refused checks that the answer was that code.
func (s *suite) refused(what string, err error, want seqr.ResultCode) {
	s.Helper()
	if got, answered := seqr.CodeOf(err); !answered || got != want {
		s.Errorf("%s: %v; want the answer %d %s", what, err, int(want), want)
	}
}
