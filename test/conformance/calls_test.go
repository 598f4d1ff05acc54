package conformance

import (
	"testing"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/pkg/seqr/seqrtest"
)

const awkward = "Smörgås & <Co> ]]> \"x\" \x00\r\n\t\xff 🦐"

// shop makes calls that must succeed, or be refused.
type shop struct {
	*testing.T
	wire *wire
	c    *seqr.Client
	till seqr.Principal
	name string
}

// everyCall makes each call of the interface twice: once with nothing in it that can be left out, once with
// everything that can be there.
func everyCall(t *testing.T, w *wire) {
	t.Helper()
	plain := &shop{T: t, wire: w, c: w.client(seqr.Config{}), till: w.srv.Terminal, name: "plain"}
	plain.life(seqr.Invoice{Total: sek("20")}, nil)
	plain.reserve(seqr.Invoice{Total: sek("20"), PaymentMode: seqr.ReservationRequired}, nil)
	plain.close(nil, seqr.ReportShopTotals, "")
	plain.terminal("till-1", "")

	part := sek("7.5")
	rich := &shop{T: t, wire: w, till: w.srv.Terminal, name: "rich", c: w.client(seqr.Config{
		ClientID: awkward, ClientReference: "a system of thirty-two letters\u00e5\u00e4", Channel: "ClientWS", Comment: awkward,
	})}
	rich.life(full(seqr.ImmediateDebit, seqr.NoAcknowledgment), &seqr.ReceiptDocument{MIMEType: "Base64", Type: seqr.ReceiptOfWarranty, Data: []byte(awkward)})
	rich.reserve(full(seqr.ReservationRequiredPreliminaryAmount, seqr.NoAcknowledgment), &part)
	rich.loyalty(full(seqr.ReservationDesired, seqr.RequireAcknowledgment))
	rich.close(map[string]string{seqr.ParamTerminalID: w.srv.Terminal.ID}, seqr.ReportCashierTotals, "sv")
	rich.terminal("till <2>", awkward)
	rich.refusals()
}

func sek(value string) seqr.Amount {
	return seqr.Amount{Currency: "SEK", Value: decimal.MustParse(value)}
}

// full sets every field that an invoice has.
func full(mode seqr.PaymentMode, loyalty seqr.AcknowledgmentMode) seqr.Invoice {
	tax, discount, unitPrice := decimal.MustParse("25"), sek("-1.50"), sek("10.00")
	return seqr.Invoice{
		PaymentMode: mode, AcknowledgmentMode: loyalty, IssueDate: time.Date(2026, 3, 14, 12, 30, 15, 123e6, time.FixedZone("CET", 3600)),
		Title: awkward, ClientInvoiceID: "order <17>", Total: sek("20.00"), CashierID: awkward, Footer: awkward,
		BackURL: "https://shop.example/back?a=1&b=2", NotificationURL: "http://127.0.0.1:1/paid?a=1&b=2", CommitReservationTimeout: 90 * time.Second,
		Rows: []seqr.InvoiceRow{
			{
				Description: awkward, Discount: &discount, EAN: "7310865004703", Quantity: decimal.MustParse("2.5"), SKU: "rs & 1",
				TaxRate: &tax, Total: sek("23.50"), Unit: "st", UnitPrice: &unitPrice,
			},
			{Total: seqr.Amount{Value: decimal.MustParse("-3.50")}},
		},
	}
}

func (s *shop) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", s.name, err)
	}
}

func (s *shop) refused(err error, want seqr.ResultCode) {
	s.Helper()
	if code, answered := seqr.CodeOf(err); !answered || code != want {
		s.Fatalf("%s: %v; want %s", s.name, err, want)
	}
}

func (s *shop) issue(v seqr.Invoice, tokens ...seqr.CustomerToken) string {
	s.Helper()
	sent, err := s.c.SendInvoice(s.Context(), seqr.SendInvoice{As: s.till, Invoice: v, Tokens: tokens})
	s.must(err)
	return sent.Reference
}

func (s *shop) status(reference string, want seqr.InvoiceStatus) seqr.PaymentStatus {
	s.Helper()
	p, err := s.c.GetPaymentStatus(s.Context(), seqr.GetPaymentStatus{As: s.till, InvoiceReference: reference, Version: 2})
	s.must(err)
	if p.Status != want {
		s.Fatalf("%s: %s is %s; want %s", s.name, reference, p.Status, want)
	}
	return p
}

// life is a payment with all that follows it, and an invoice that comes to nothing.
func (s *shop) life(v seqr.Invoice, receipt *seqr.ReceiptDocument) {
	s.Helper()
	reference := s.issue(v)
	s.status(reference, seqr.StatusIssued)
	s.wire.srv.Pay(reference)
	payment := s.status(reference, seqr.StatusPaid).ErsReference
	s.must(s.c.SubmitPaymentReceipt(s.Context(), seqr.SubmitPaymentReceipt{As: s.till, ErsReference: payment, Document: receipt}))
	_, err := s.c.RefundPayment(s.Context(), seqr.RefundPayment{As: s.till, ErsReference: payment, Invoice: v})
	s.must(err)

	canceled := s.issue(v)
	s.must(s.c.UpdateInvoice(s.Context(), seqr.UpdateInvoice{As: s.till, InvoiceReference: canceled, Invoice: v}))
	s.must(s.c.CancelInvoice(s.Context(), seqr.CancelInvoice{As: s.till, InvoiceReference: canceled}))
	s.status(canceled, seqr.StatusCanceled)
	s.must(s.c.BenchmarkingNop(s.Context()))
}

func (s *shop) reserve(v seqr.Invoice, part *seqr.Amount) {
	s.Helper()
	reference := s.issue(v)
	s.wire.srv.Pay(reference)
	s.status(reference, seqr.StatusReserved)
	s.must(s.c.CommitReservation(s.Context(), seqr.CommitReservation{As: s.till, InvoiceReference: reference, Amount: part}))
	s.status(reference, seqr.StatusPaid)
}

func (s *shop) loyalty(v seqr.Invoice) {
	s.Helper()
	cards := []seqr.CustomerToken{{ID: "<1>", Description: awkward, Value: awkward}, {ID: "2"}, {ID: "3"}}
	reference := s.issue(v, cards...)
	s.wire.srv.Scan(reference)
	pending := s.status(reference, seqr.StatusPendingIssuerAcknowledge)
	for i, to := range []seqr.TokenStatus{seqr.TokenUsed, seqr.TokenBlocked, seqr.TokenUnknown} {
		pending.Tokens[i].Status = to
	}
	s.must(s.c.UpdateInvoice(s.Context(), seqr.UpdateInvoice{As: s.till, InvoiceReference: reference, Invoice: v, Tokens: pending.Tokens}))
	s.status(reference, seqr.StatusIssued)
	s.wire.srv.Decline(reference)
	s.status(reference, seqr.StatusCanceled)
	broken := s.issue(v)
	s.wire.srv.Fail(broken)
	s.status(broken, seqr.StatusFailed)
	old := s.issue(v)
	s.wire.srv.Expire(old)
	s.status(old, seqr.StatusExpired)
}

func (s *shop) close(scope map[string]string, report, language string) {
	s.Helper()
	owner := s.wire.srv.Reseller
	period, err := s.c.MarkTransactionPeriod(s.Context(), seqr.MarkTransactionPeriod{As: owner, Parameters: scope})
	s.must(err)
	ask := seqr.ExecuteReport{As: owner, ReportID: report, Language: language}
	if scope != nil {
		ask.Parameters = map[string]string{seqr.ParamTransactionPeriodID: period, seqr.ParamTerminalID: s.till.ID}
	}
	_, err = s.c.ExecuteReport(s.Context(), ask)
	s.refused(err, seqr.ReportNotReady)
	s.wire.srv.Advance(3 * time.Second)
	_, err = s.c.ExecuteReport(s.Context(), ask)
	s.must(err)
}

func (s *shop) terminal(external, name string) {
	s.Helper()
	id, err := s.c.RegisterTerminal(s.Context(), seqr.RegisterTerminal{
		As: s.wire.srv.Reseller, ExternalTerminalID: external, Password: "pass <&> word", Name: name,
	})
	s.must(err)
	till := seqr.Terminal(id, "pass <&> word")
	s.must(s.c.AssignSeqrID(s.Context(), seqr.AssignSeqrID{As: till, SeqrID: s.name}))
	s.refused(s.c.AssignSeqrID(s.Context(), seqr.AssignSeqrID{As: till, SeqrID: "no!"}), seqr.InvalidSeqrID)
	s.must(s.c.UnregisterTerminal(s.Context(), seqr.UnregisterTerminal{As: till}))
}

// refusals are answers too, faults among them.
func (s *shop) refusals() {
	s.Helper()
	_, err := s.c.GetPaymentStatus(s.Context(), seqr.GetPaymentStatus{As: s.till, InvoiceReference: awkward})
	s.refused(err, seqr.InvalidInvoiceReference)
	_, err = s.c.SendInvoice(s.Context(), seqr.SendInvoice{As: s.till, Invoice: seqr.Invoice{Total: sek("-1")}})
	s.refused(err, seqr.InvalidInvoiceData)
	_, err = s.c.SendInvoice(s.Context(), seqr.SendInvoice{})
	s.refused(err, seqr.InvalidInitiatorPrincipalID)
	s.wire.srv.Faults("*", seqrtest.Fault{Kind: "fault"})
	if err := s.c.BenchmarkingNop(s.Context()); seqr.Classify(err) != seqr.Unknown {
		s.Fatalf("a SOAP fault: %v", err)
	}
}
