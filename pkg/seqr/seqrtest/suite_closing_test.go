package seqrtest

import (
	"crypto/rand"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// till: a cash register has one open invoice, and can't make calls once it is unregistered.
func till(s *suite) {
	password := seqr.Secret(rand.Text())
	id, err := s.client.RegisterTerminal(s.Context(), seqr.RegisterTerminal{
		As: s.Reseller, ExternalTerminalID: "seqrtest-" + rand.Text()[:12], Password: password, Name: "Conformance till",
	})
	s.must(err)
	register := *s
	register.Terminal = seqr.Terminal(id, password)
	s.must(s.client.AssignSeqrID(s.Context(), seqr.AssignSeqrID{As: register.Terminal, SeqrID: rand.Text()[:16]}))
	err = s.client.AssignSeqrID(s.Context(), seqr.AssignSeqrID{As: register.Terminal, SeqrID: "not one!"})
	s.refused("a seqrId that is not alphanumeric", err, seqr.InvalidSeqrID)

	first := register.issue(s.invoice("1.00"))
	_, err = s.client.GetPaymentStatus(s.Context(), seqr.GetPaymentStatus{As: s.Terminal, InvoiceReference: first})
	s.refused("another terminal's invoice", err, seqr.InvalidInvoiceReference)
	second := register.issue(s.invoice("2.00"))
	register.expect(first, seqr.StatusCanceled)
	register.expect(second, seqr.StatusIssued)
	s.must(register.cancel(second))

	s.must(s.client.UnregisterTerminal(s.Context(), seqr.UnregisterTerminal{As: register.Terminal}))
	_, err = s.client.SendInvoice(s.Context(), seqr.SendInvoice{As: register.Terminal, Invoice: s.invoice("1.00")})
	s.refusedSomehow("after unregistering, sendInvoice", err)
}

// closing: a period has the payments that were fetched since the one before, and its report is ready some time later.
func closing(s *suite) {
	scope := map[string]string{seqr.ParamTerminalID: s.Terminal.ID}
	mark := seqr.MarkTransactionPeriod{As: s.Reseller, Parameters: scope}
	before, err := s.client.MarkTransactionPeriod(s.Context(), mark)
	s.must(err)
	payment := s.paid("3.00")
	_, err = s.refund(payment, s.invoice("1.00"))
	s.must(err)
	period, err := s.client.MarkTransactionPeriod(s.Context(), mark)
	s.must(err)
	if period == before {
		s.Fatalf("two periods have the id %s", period)
	}

	var sales []seqr.ReportRow
	meta, err := seqr.ParseTransactionDetails(s.report(period).Content, func(r seqr.ReportRow) error {
		if !r.SalesAmount.IsNeg() {
			sales = append(sales, r)
		}
		return nil
	})
	s.must(err)
	if meta.TransactionPeriodID != period || meta.TerminalID != s.Terminal.ID {
		s.Errorf("the report is about %+v", meta)
	}
	if len(sales) != 1 || sales[0].ErsReference != payment || sales[0].SalesAmount.Cmp(decimal.MustParse("3")) != 0 ||
		sales[0].TerminalID != s.Terminal.ID {
		s.Errorf("the report lists %+v; want the one payment %s of 3", sales, payment)
	}
}

const (
	reportPause    = 3 * time.Second
	reportPatience = 40 // pauses
)

// report asks for the report until it is ready.
func (s *suite) report(period string) seqr.Report {
	s.Helper()
	ask := seqr.ExecuteReport{As: s.Reseller, ReportID: seqr.ReportTerminalTransaction, Parameters: map[string]string{
		seqr.ParamTerminalID: s.Terminal.ID, seqr.ParamTransactionPeriodID: period,
	}}
	for range reportPatience {
		s.wait(reportPause)
		report, err := s.client.ExecuteReport(s.Context(), ask)
		if seqr.Classify(err) != seqr.TryLater {
			s.must(err)
			return report
		}
	}
	s.Fatalf("the report of %s is still not ready", period)
	return seqr.Report{}
}
