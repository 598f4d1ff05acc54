package sandbox_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

func TestFromInvoiceToFullRefund(t *testing.T) {
	p := serve(t, manual())
	sent := p.want(0, "sendInvoice", shop+invoiceOf("149.50"))
	ref := sent.InvoiceReference
	if sent.QRCode != "HTTP://SEQR.SE/R"+ref || len(ref) != 13 || sent.Text != "SUCCESS" || sent.ErsReference != "" {
		t.Errorf("sendInvoice answered %+v", sent)
	}
	if a := p.status(shop, ref); a.Status != "ISSUED" || a.Version != 0 || a.Receipt != nil || a.ErsReference != "" {
		t.Errorf("before paying: %+v", a)
	}
	p.must(p.Scan(ref))
	p.must(p.Pay(ref))
	a := p.status(shop, ref)
	if a.Status != "PAID" || a.Version != 1 || len(a.ErsReference) != 25 || a.Receipt == nil {
		t.Fatalf("after paying: %+v", a)
	}
	r := a.Receipt
	if r.TerminalID != "demo-terminal" || r.InvoiceReference != ref || r.PaymentReference != a.ErsReference ||
		r.ReceiverName != "Demo shop" || r.Total != "149.50" || r.Currency != "SEK" || r.PaymentDate != "2026-03-01T12:00:00.000Z" {
		t.Errorf("receipt %+v", r)
	}
	p.want(0, "submitPaymentReceipt", shop+payment(a.ErsReference)+`<receiptDocument><mimeType>Base64</mimeType><receiptData>PGI+
 aGk8L2I+</receiptData><receiptType>PAYMENT_RECEIPT</receiptType></receiptDocument>`)
	p.want(0, "submitPaymentReceipt", shop+payment(a.ErsReference))
	refund := p.want(0, "refundPayment", shop+payment(a.ErsReference)+invoiceOf("149.50"))
	if len(refund.ErsReference) != 25 || refund.ErsReference == a.ErsReference {
		t.Errorf("refund's ersReference %q", refund.ErsReference)
	}
	if a := p.status(shop, ref); a.Status != "PAID" || a.Version != 1 {
		t.Errorf("after the refund: %+v", a)
	}

	l := p.Ledger()
	if len(l.Receipts) != 2 || l.Receipts[0].Size != 9 || l.Receipts[1].Size != 0 ||
		l.Receipts[0].SHA256 != "32b24ea526391a12a59b9bf2483fada2d5d6bfe895dd1beaf6241828aa9dee2b" {
		t.Errorf("receipts %+v", l.Receipts)
	}
	if len(l.Refunds) != 1 || l.Refunds[0].PaymentErsReference != a.ErsReference || l.Refunds[0].Amount.String() != "149.50" {
		t.Errorf("refunds %+v", l.Refunds)
	}
	if l.Payments[0].Refunded.String() != "149.50" || l.Invoices[0].FetchedAt != start {
		t.Errorf("ledger %+v", l)
	}
}

func TestPaymentThatIsNotFetchedGoesBack(t *testing.T) {
	p := serve(t, manual())
	ref := p.issue(shop, "10.00")
	p.must(p.Pay(ref))
	ers := p.Ledger().Payments[0].ErsReference
	p.want(23, "refundPayment", shop+payment(ers)+invoiceOf("10.00")) // not final yet
	p.Advance(20*time.Second - time.Millisecond)
	if inv := p.invoice(ref); inv.Status != "PAID" {
		t.Fatalf("just before 20 s the invoice is %s", inv.Status)
	}
	p.Advance(time.Millisecond)
	a := p.status(shop, ref)
	if a.Status != "CANCELED" || a.Version != 2 || a.ErsReference != "" || a.Receipt != nil {
		t.Errorf("after 20 s: %+v", a)
	}
	l := p.Ledger()
	if len(l.Reversals) != 1 || l.Reversals[0].At != start.Add(20*time.Second) || l.Reversals[0].Amount.String() != "10.00" ||
		!strings.Contains(l.Reversals[0].Reason, "20s") || l.Payments[0].ReversedAt.IsZero() || l.Invoices[0].ReversedAt.IsZero() {
		t.Errorf("ledger %+v", l)
	}
	p.want(95, "cancelInvoice", shop+named(ref))
	p.want(23, "refundPayment", shop+payment(ers)+invoiceOf("10.00"))
	p.want(23, "submitPaymentReceipt", shop+payment(ers))
}

func TestFetchingIsTheAcknowledgement(t *testing.T) {
	p := serve(t, manual())
	ref := p.issue(shop, "10.00")
	p.must(p.Pay(ref))
	p.Advance(19 * time.Second)
	p.status(shop, ref)
	p.Advance(time.Hour)
	if a := p.status(shop, ref); a.Status != "PAID" || a.Version != 1 {
		t.Errorf("an hour after the fetch: %+v", a)
	}
	if l := p.Ledger(); len(l.Reversals) != 0 || l.Invoices[0].FetchedAt != start.Add(19*time.Second) {
		t.Errorf("ledger %+v", l)
	}
}

func TestStatusOfAnotherTerminalDoesNotAcknowledge(t *testing.T) {
	p := serve(t, manual())
	ref := p.issue(shop, "10.00")
	p.must(p.Pay(ref))
	p.want(54, "getPaymentStatus", other+named(ref)+`<invoiceVersion>0</invoiceVersion>`)
	p.Advance(20 * time.Second)
	if got := p.invoice(ref).Status; got != "CANCELED" {
		t.Errorf("the invoice is %s", got)
	}
}

func TestCancel(t *testing.T) {
	p := serve(t, manual())
	t.Run("issued", func(t *testing.T) {
		ref := p.issue(shop, "5")
		p.want(0, "cancelInvoice", shop+named(ref))
		if a := p.status(shop, ref); a.Status != "CANCELED" || a.Version != 1 {
			t.Errorf("%+v", a)
		}
		p.want(95, "cancelInvoice", shop+named(ref))
		p.refused(p.Pay(ref), "CANCELED")
	})
	t.Run("paid", func(t *testing.T) {
		ref := p.issue(shop, "5")
		p.must(p.Pay(ref))
		p.want(50, "cancelInvoice", shop+named(ref))
		if a := p.status(shop, ref); a.Status != "PAID" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("confirming", func(t *testing.T) {
		ref := p.issue(shop, "5")
		p.must(p.Scan(ref))
		p.must(p.Confirm(ref))
		p.want(51, "cancelInvoice", shop+named(ref))
		p.Advance(30 * time.Second) // the buyer has put the phone away
		p.want(0, "cancelInvoice", shop+named(ref))
	})
	t.Run("confirming, then paid", func(t *testing.T) {
		ref := p.issue(shop, "5")
		p.must(p.Confirm(ref))
		p.must(p.Pay(ref))
		p.want(50, "cancelInvoice", shop+named(ref))
	})
	t.Run("canceled by the buyer", func(t *testing.T) {
		ref := p.issue(shop, "5")
		p.must(p.Decline(ref))
		if a := p.status(shop, ref); a.Status != "CANCELED" || a.Version != 1 {
			t.Errorf("%+v", a)
		}
		p.want(95, "cancelInvoice", shop+named(ref))
	})
	t.Run("failed on its way", func(t *testing.T) {
		ref := p.issue(shop, "5")
		p.must(p.Confirm(ref))
		p.must(p.Fail(ref))
		if a := p.status(shop, ref); a.Status != "FAILED" || a.ErsReference != "" {
			t.Errorf("%+v", a)
		}
		p.refused(p.Pay(ref), "FAILED")
		p.want(95, "cancelInvoice", shop+named(ref))
	})
	t.Run("scanned only", func(t *testing.T) {
		ref := p.issue(shop, "5")
		p.must(p.Scan(ref))
		p.want(0, "cancelInvoice", shop+named(ref))
	})
}

func TestRefunds(t *testing.T) {
	p := serve(t, manual())
	ref, ers := p.paid(shop, "100.00")
	for _, c := range []struct {
		name, context, ers, invoice string
		code                        int
	}{
		{"unknown", shop, "1234", invoiceOf("1"), 23},
		{"another terminal's", other, ers, invoiceOf("1"), 23},
		{"invoiceReference instead", shop, ref, invoiceOf("1"), 23},
		{"no invoice", shop, ers, "", 49},
		{"no total", shop, ers, `<invoice/>`, 49},
		{"other currency", shop, ers, strings.ReplaceAll(invoiceOf("1"), "SEK", "EUR"), 49},
		{"rows do not sum", shop, ers, strings.Replace(invoiceOf("10"), "<value>10<", "<value>9<", 1), 49},
		{"zero", shop, ers, invoiceOf("0"), 49},
		{"negative", shop, ers, invoiceOf("-1"), 49},
		{"bad address", shop, ers, strings.Replace(invoiceOf("1"), "</invoice>", "<notificationUrl>ftp://x/</notificationUrl></invoice>", 1), 64},
		{"too much", shop, ers, invoiceOf("100.01"), 98},
	} {
		if a := p.call("refundPayment", c.context+payment(c.ers)+c.invoice); a.Code != c.code || a.ErsReference != "" {
			t.Errorf("%s: %d %s, want %d", c.name, a.Code, a.Text, c.code)
		}
	}
	if n := len(p.Ledger().Refunds); n != 0 {
		t.Fatalf("%d refunds after refusals only", n)
	}
	first := p.want(0, "refundPayment", shop+payment(ers)+invoiceOf("60.00"))
	p.want(98, "refundPayment", shop+payment(ers)+invoiceOf("40.01"))
	second := p.want(0, "refundPayment", shop+payment(ers)+`<invoice><totalAmount><currency>SEK</currency><value>20</value></totalAmount></invoice>`)
	p.want(0, "refundPayment", shop+payment(ers)+invoiceOf("20.00"))
	p.want(98, "refundPayment", shop+payment(ers)+invoiceOf("0.01"))
	p.want(23, "refundPayment", shop+payment(first.ErsReference)+invoiceOf("1")) // a refund is no payment
	if first.ErsReference == second.ErsReference {
		t.Error("two refunds have one reference")
	}
}

// A real clock does by itself what Advance does to a manual one.
func TestRealClockReverses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := sandbox.New(sandbox.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		out := httptest.NewRecorder()
		s.ServeHTTP(out, httptest.NewRequest("POST", service, strings.NewReader(envelope("sendInvoice", shop+invoiceOf("5")))))
		if err := s.Pay(s.Ledger().Invoices[0].InvoiceReference); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20*time.Second - time.Nanosecond)
		synctest.Wait()
		if l := s.Ledger(); len(l.Reversals) != 0 {
			t.Fatalf("reversed too early: %+v", l.Reversals)
		}
		paid := s.Ledger().Payments[0].At
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if l := s.Ledger(); len(l.Reversals) != 1 || l.Reversals[0].At.Sub(paid) != 20*time.Second {
			t.Errorf("ledger %+v", l)
		}
	})
}

func TestExpiry(t *testing.T) {
	cfg := manual()
	cfg.Lifetime = time.Minute
	p := serve(t, cfg)
	ref, paid := p.issue(shop, "5"), p.issue(shop, "6")
	p.must(p.Pay(paid))
	p.status(shop, paid)
	p.Advance(time.Minute)
	if a := p.status(shop, ref); a.Status != "EXPIRED" || a.Version != 1 {
		t.Errorf("%+v", a)
	}
	if a := p.status(shop, paid); a.Status != "PAID" {
		t.Errorf("%+v", a)
	}
	p.want(95, "cancelInvoice", shop+named(ref))
	p.want(58, "updateInvoice", shop+named(ref)+invoiceOf("5"))
	p.refused(p.Pay(ref), "EXPIRED")
	byHand := p.issue(shop, "5")
	p.must(p.Expire(byHand))
	if a := p.status(shop, byHand); a.Status != "EXPIRED" {
		t.Errorf("%+v", a)
	}
}
