package seqrtest

import (
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// pastReversal is longer than the 20 seconds that a payment waits to be fetched.
const pastReversal = 30 * time.Second

func fetchedPaymentStays(s *suite) {
	reference := s.issue(s.invoice("1.50"))
	before := s.expect(reference, seqr.StatusIssued)
	s.pay(reference)
	paid := s.status(reference, before.Version)
	switch {
	case paid.Status != seqr.StatusPaid || paid.ErsReference == "":
		s.Fatalf("after the payment: %+v", paid)
	case paid.Version <= before.Version:
		s.Errorf("the status changed, the version did not rise: %d, %d", before.Version, paid.Version)
	case paid.ErsReference == reference:
		s.Error("the payment has the invoice's reference")
	}
	s.wait(pastReversal)
	if later := s.expect(reference, seqr.StatusPaid); later.ErsReference != paid.ErsReference {
		s.Errorf("the ersReference %s has become %s", paid.ErsReference, later.ErsReference)
	}
	_, err := s.refund(paid.ErsReference, s.invoice("1.50"))
	s.must(err)
	s.expect(reference, seqr.StatusPaid)
}

func unfetchedPaymentIsReversed(s *suite) {
	reference := s.issue(s.invoice("1.00"))
	s.expect(reference, seqr.StatusIssued)
	s.pay(reference)
	s.wait(pastReversal)
	s.expect(reference, seqr.StatusCanceled)
	s.refused("canceling what was reversed", s.cancel(reference), seqr.InvoiceAlreadyCanceled)
}

func declinedIsCanceled(s *suite) {
	reference := s.issue(s.invoice("1.00"))
	s.must(s.Buyer.Decline(s.Context(), reference))
	s.expect(reference, seqr.StatusCanceled)
	s.refused("canceling what the buyer canceled", s.cancel(reference), seqr.InvoiceAlreadyCanceled)
}

func paidCannotBeCanceled(s *suite) {
	reference := s.issue(s.invoice("1.00"))
	s.pay(reference)
	s.refused("before PAID is fetched", s.cancel(reference), seqr.CannotCancelPaidInvoice)
	payment := s.expect(reference, seqr.StatusPaid).ErsReference
	s.refused("after PAID is fetched", s.cancel(reference), seqr.CannotCancelPaidInvoice)
	_, err := s.refund(payment, s.invoice("1.00"))
	s.must(err)
}

func receipts(s *suite) {
	payment := s.paid("1.00")
	for _, doc := range []*seqr.ReceiptDocument{
		nil,
		{MIMEType: "Base64", Data: []byte("<html><body>Tack för köpet!</body></html>")},
		{MIMEType: "text/xml", Type: seqr.ReceiptOther, Data: []byte("<receipt/>")},
	} {
		s.must(s.client.SubmitPaymentReceipt(s.Context(), seqr.SubmitPaymentReceipt{As: s.Terminal, ErsReference: payment, Document: doc}))
	}
	_, err := s.refund(payment, s.invoice("1.00"))
	s.must(err)
}

// refunds: a payment may be refunded in any number of parts, each with its own reference, and never by more than was paid.
func refunds(s *suite) {
	payment := s.paid("3.00")
	_, err := s.refund(payment, s.invoice("3.01"))
	s.refused("more than was paid", err, seqr.SumOfRefundsExceedsPayment)
	first, err := s.refund(payment, s.invoice("1.25"))
	s.must(err)
	_, err = s.refund(payment, s.invoice("1.76"))
	s.refused("more than is left", err, seqr.SumOfRefundsExceedsPayment)
	foreign := seqr.Invoice{Total: s.amount("1.00")}
	if foreign.Total.Currency = "EUR"; s.Currency == "EUR" {
		foreign.Total.Currency = "SEK"
	}
	_, err = s.refund(payment, foreign)
	s.refused("another currency", err, seqr.InvalidInvoiceData)
	second, err := s.refund(payment, s.invoice("1.75"))
	s.must(err)
	if first == second || first == payment {
		s.Errorf("the payment is %s, its refunds %s and %s", payment, first, second)
	}
	_, err = s.refund(payment, s.invoice("0.01"))
	s.refused("when nothing is left", err, seqr.SumOfRefundsExceedsPayment)
}

func reservation(s *suite) {
	v := s.invoice("3.00")
	v.PaymentMode, v.CommitReservationTimeout = seqr.ReservationRequired, 10*time.Minute
	reference := s.issue(v)
	less := s.amount("2.00")
	commit := seqr.CommitReservation{As: s.Terminal, InvoiceReference: reference, Amount: &less}
	s.refused("before the buyer confirms", s.client.CommitReservation(s.Context(), commit), seqr.InvoiceStateNotReserved)
	s.pay(reference)
	if p := s.expect(reference, seqr.StatusReserved); p.ErsReference != "" {
		s.Errorf("a reservation has the ersReference %s", p.ErsReference)
	}
	s.must(s.client.CommitReservation(s.Context(), commit))
	payment := s.expect(reference, seqr.StatusPaid).ErsReference
	s.refused("a second time", s.client.CommitReservation(s.Context(), commit), seqr.InvoiceStateNotReserved)
	_, err := s.refund(payment, s.invoice("2.01"))
	s.refused("refunding more than was taken", err, seqr.SumOfRefundsExceedsPayment)
	_, err = s.refund(payment, s.invoice("2.00"))
	s.must(err)
}

// preliminaryAmount: updateInvoice sets the final amount, between the reservation and its commit.
func preliminaryAmount(s *suite) {
	v := s.invoice("3.00")
	v.PaymentMode, v.CommitReservationTimeout = seqr.ReservationRequiredPreliminaryAmount, 10*time.Minute
	reference := s.issue(v)
	s.pay(reference)
	s.expect(reference, seqr.StatusReserved)
	final := s.invoice("2.00")
	final.PaymentMode = v.PaymentMode
	update := seqr.UpdateInvoice{As: s.Terminal, InvoiceReference: reference, Invoice: final}
	s.must(s.client.UpdateInvoice(s.Context(), update))
	s.must(s.client.CommitReservation(s.Context(), seqr.CommitReservation{As: s.Terminal, InvoiceReference: reference}))
	payment := s.expect(reference, seqr.StatusPaid).ErsReference
	s.refused("changing what is paid", s.client.UpdateInvoice(s.Context(), update), seqr.SystemError)
	_, err := s.refund(payment, s.invoice("2.01"))
	s.refused("refunding more than the final amount", err, seqr.SumOfRefundsExceedsPayment)
	_, err = s.refund(payment, s.invoice("2.00"))
	s.must(err)
}

// loyalty: a buyer with a loyalty card waits for the shop, and can pay only when updateInvoice has answered the card.
func loyalty(s *suite) {
	v := s.invoice("3.00")
	v.AcknowledgmentMode = seqr.RequireAcknowledgment
	reference := s.issue(v)
	before := s.expect(reference, seqr.StatusIssued)
	s.must(s.Buyer.Scan(s.Context(), reference))
	waiting := s.status(reference, before.Version)
	switch {
	case waiting.Status != seqr.StatusPendingIssuerAcknowledge: // with a token only if the buyer has a card
		s.Fatalf("after the scan: %+v", waiting)
	case waiting.Version <= before.Version:
		s.Errorf("the status changed, the version did not rise: %d, %d", before.Version, waiting.Version)
	}
	if s.Buyer.Pay(s.Context(), reference) == nil {
		s.Error("the buyer paid before the shop had answered the card")
	}
	for i := range waiting.Tokens {
		waiting.Tokens[i].Status = seqr.TokenUsed
	}
	v = s.invoice("2.00")
	v.AcknowledgmentMode = seqr.RequireAcknowledgment
	s.must(s.client.UpdateInvoice(s.Context(), seqr.UpdateInvoice{As: s.Terminal, InvoiceReference: reference, Invoice: v, Tokens: waiting.Tokens}))
	s.pay(reference)
	payment := s.expect(reference, seqr.StatusPaid).ErsReference
	_, err := s.refund(payment, s.invoice("2.01"))
	s.refused("refunding more than the new total", err, seqr.SumOfRefundsExceedsPayment)
	_, err = s.refund(payment, s.invoice("2.00"))
	s.must(err)
}
