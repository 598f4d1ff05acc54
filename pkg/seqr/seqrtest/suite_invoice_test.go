package seqrtest

import (
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func benchmarkingNop(s *suite) { s.must(s.client.BenchmarkingNop(s.Context())) }

func refusedPrincipals(s *suite) {
	for _, c := range []struct {
		what string
		as   seqr.Principal
		want seqr.ResultCode
	}{
		{"a wrong password", seqr.Terminal(s.Terminal.ID, "no-such-password"), seqr.AuthenticationFailed},
		{"no id", seqr.Terminal("", s.Terminal.Password), seqr.InvalidInitiatorPrincipalID},
		{"an unknown terminal", seqr.Terminal("no-such-terminal", s.Terminal.Password), seqr.InvalidInitiatorPrincipalID},
		{"a wrong password of three letters", seqr.Terminal(s.Terminal.ID, "abc"), seqr.AuthenticationFailed},
	} {
		_, err := s.client.SendInvoice(s.Context(), seqr.SendInvoice{As: c.as, Invoice: s.invoice("1.00")})
		s.refused(c.what, err, c.want)
	}
}

func refusedResellers(s *suite) {
	for what, as := range map[string]seqr.Principal{
		"an unknown reseller":    seqr.ResellerUser("no-such-reseller", s.Reseller.UserID, s.Reseller.Password),
		"an unknown user":        seqr.ResellerUser(s.Reseller.ID, "no-such-user", s.Reseller.Password),
		"an unknown one of both": seqr.ResellerUser("no-such-reseller", "no-such-user", s.Reseller.Password),
	} {
		_, err := s.client.MarkTransactionPeriod(s.Context(), seqr.MarkTransactionPeriod{As: as})
		s.refused(what, err, seqr.InitiatorPrincipalNotFound)
	}
}

func invoiceIsIssued(s *suite) {
	sent, err := s.client.SendInvoice(s.Context(), seqr.SendInvoice{As: s.Terminal, Invoice: s.invoice("1.50")})
	s.must(err)
	if sent.QRCode != seqr.QRCode(sent.Reference) {
		s.Errorf("the QR code of %s is %q", sent.Reference, sent.QRCode)
	}
	p := s.expect(sent.Reference, seqr.StatusIssued)
	if p.ErsReference != "" || p.Receipt != nil {
		s.Errorf("before the payment there is a payment: %+v", p)
	}
	if again := s.status(sent.Reference, p.Version); again.Status != seqr.StatusIssued || again.Version != p.Version {
		s.Errorf("nothing has happened, and version %d has become %d, %s", p.Version, again.Version, again.Status)
	}
	s.must(s.cancel(sent.Reference))
}

// eachInvoiceIsItsOwn: the client's id of an invoice is no key that would make sending it again harmless.
func eachInvoiceIsItsOwn(s *suite) {
	one, two := s.issue(s.invoice("1.00")), s.issue(s.invoice("1.00"))
	if one == two {
		s.Fatalf("two invoices have the reference %s", one)
	}
	s.must(s.cancel(two))
	s.expect(one, seqr.StatusIssued)
	s.must(s.cancel(one))
}

func refusedInvoices(s *suite) {
	sum, hint := s.invoice("2.00"), s.invoice("1.00")
	sum.Total = s.amount("3.00")
	hint.NotificationURL = "ftp://shop.example/paid"
	for _, c := range []struct {
		what    string
		invoice seqr.Invoice
		want    seqr.ResultCode
	}{
		{"rows that do not sum", sum, seqr.InvalidInvoiceData},
		{"a notificationUrl that is neither http nor https", hint, seqr.InvalidNotificationURL},
	} {
		_, err := s.client.SendInvoice(s.Context(), seqr.SendInvoice{As: s.Terminal, Invoice: c.invoice})
		s.refused(c.what, err, c.want)
	}
	_, err := s.client.SendInvoice(s.Context(), seqr.SendInvoice{As: s.Terminal, Invoice: seqr.Invoice{Total: s.amount("0")}})
	s.refusedSomehow("no amount", err)
	balanced := s.invoice("5.00")
	balanced.Rows = append(balanced.Rows, seqr.InvoiceRow{Description: "Discount", Quantity: decimal.One, Total: s.amount("-2.00")})
	balanced.Total = s.amount("3.00")
	s.must(s.cancel(s.issue(balanced)))
}

func unknownReferences(s *suite) {
	const none = "4711"
	_, err := s.client.GetPaymentStatus(s.Context(), seqr.GetPaymentStatus{As: s.Terminal, InvoiceReference: none})
	s.refused("getPaymentStatus", err, seqr.InvalidInvoiceReference)
	s.refused("cancelInvoice", s.cancel(none), seqr.InvalidInvoiceReference)
	err = s.client.CommitReservation(s.Context(), seqr.CommitReservation{As: s.Terminal, InvoiceReference: none})
	s.refused("commitReservation", err, seqr.InvalidInvoiceReference)
	err = s.client.UpdateInvoice(s.Context(), seqr.UpdateInvoice{As: s.Terminal, InvoiceReference: none, Invoice: s.invoice("1.00")})
	s.refused("updateInvoice", err, seqr.InvalidInvoiceReference)
	err = s.client.SubmitPaymentReceipt(s.Context(), seqr.SubmitPaymentReceipt{As: s.Terminal, ErsReference: none})
	s.refused("submitPaymentReceipt", err, seqr.InvalidErsReference)
	_, err = s.refund(none, s.invoice("1.00"))
	s.refused("refundPayment", err, seqr.InvalidErsReference)
}

func invoiceIsCanceled(s *suite) {
	reference := s.issue(s.invoice("1.00"))
	before := s.expect(reference, seqr.StatusIssued)
	s.must(s.cancel(reference))
	if after := s.expect(reference, seqr.StatusCanceled); after.Version <= before.Version {
		s.Errorf("the status changed, the version did not rise: %d, %d", before.Version, after.Version)
	}
	s.refused("canceling it again", s.cancel(reference), seqr.InvoiceAlreadyCanceled)
	err := s.client.CommitReservation(s.Context(), seqr.CommitReservation{As: s.Terminal, InvoiceReference: reference})
	s.refused("committing it", err, seqr.InvoiceStateNotReserved)
}

func invoiceIsChanged(s *suite) {
	reference := s.issue(s.invoice("2.00"))
	update := seqr.UpdateInvoice{As: s.Terminal, InvoiceReference: reference, Invoice: s.invoice("1.00")}
	s.must(s.client.UpdateInvoice(s.Context(), update))
	s.expect(reference, seqr.StatusIssued)
	update.Invoice.Total = s.amount("4.00")
	s.refused("rows that do not sum", s.client.UpdateInvoice(s.Context(), update), seqr.InvalidInvoiceData)
	s.must(s.cancel(reference))
}
