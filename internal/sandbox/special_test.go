package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func reservation(total, seconds string) string {
	timeout := ""
	if seconds != "" {
		timeout = `<commitReservationTimeout>` + seconds + `</commitReservationTimeout>`
	}
	b := strings.Replace(invoiceOf(total), "IMMEDIATE_DEBIT", "RESERVATION_REQUIRED", 1)
	return strings.Replace(b, "</invoice>", timeout+"</invoice>", 1)
}

func amount(currency, value string) string {
	return `<amount><currency>` + currency + `</currency><value>` + value + `</value></amount>`
}

func TestReservation(t *testing.T) {
	p := serve(t, manual())
	reserve := func(seconds string) string {
		t.Helper()
		ref := p.want(0, "sendInvoice", shop+reservation("100", seconds)).InvoiceReference
		p.want(96, "commitReservation", shop+named(ref))
		p.must(p.Pay(ref))
		if a := p.status(shop, ref); a.Status != "RESERVED" || a.Version != 1 || a.ErsReference != "" {
			t.Fatalf("%+v", a)
		}
		return ref
	}
	t.Run("whole", func(t *testing.T) {
		ref := reserve("60")
		p.want(0, "commitReservation", shop+named(ref))
		a := p.status(shop, ref)
		if a.Status != "PAID" || a.Version != 2 || a.Receipt.Total != "100.00" {
			t.Errorf("%+v", a)
		}
		p.want(96, "commitReservation", shop+named(ref))
		p.Advance(time.Hour)
		if a := p.status(shop, ref); a.Status != "PAID" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("part", func(t *testing.T) {
		ref := reserve("60")
		p.want(11, "commitReservation", shop+amount("SEK", "100.01")+named(ref))
		p.want(49, "commitReservation", shop+amount("EUR", "40")+named(ref))
		p.want(49, "commitReservation", shop+amount("SEK", "0")+named(ref))
		p.want(0, "commitReservation", shop+amount("SEK", "40")+named(ref))
		a := p.status(shop, ref)
		if a.Receipt.Total != "40.00" {
			t.Errorf("paid %s", a.Receipt.Total)
		}
		p.want(98, "refundPayment", shop+payment(a.ErsReference)+invoiceOf("40.01"))
		p.want(0, "refundPayment", shop+payment(a.ErsReference)+invoiceOf("40"))
	})
	t.Run("lapses", func(t *testing.T) {
		ref := reserve("60")
		p.Advance(time.Minute)
		if a := p.status(shop, ref); a.Status != "CANCELED" || a.Version != 2 {
			t.Errorf("%+v", a)
		}
		p.want(96, "commitReservation", shop+named(ref))
	})
	t.Run("lapses without a timeout of its own", func(t *testing.T) {
		ref := reserve("")
		p.Advance(15*time.Minute - time.Second)
		if got := p.invoice(ref).Status; got != "RESERVED" {
			t.Errorf("%s", got)
		}
		p.Advance(time.Second)
		if got := p.invoice(ref).Status; got != "CANCELED" {
			t.Errorf("%s", got)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		ref := reserve("60")
		p.want(0, "cancelInvoice", shop+named(ref))
		p.want(96, "commitReservation", shop+named(ref))
	})
	t.Run("committed but not fetched", func(t *testing.T) {
		ref := reserve("60")
		p.want(0, "commitReservation", shop+named(ref))
		p.Advance(20 * time.Second)
		if a := p.status(shop, ref); a.Status != "CANCELED" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("the buyer is done", func(t *testing.T) {
		ref := reserve("60")
		p.refused(p.Pay(ref), "commit")
		p.refused(p.Decline(ref), "RESERVED")
	})
}

func TestLoyalty(t *testing.T) {
	p := serve(t, manual())
	loyal := strings.Replace(invoiceOf("100"), "NO_ACKNOWLEDGMENT", "REQUIRE_ACKNOWLEDGMENT", 1)
	token := func(id, status string) string {
		return `<tokens><id>` + id + `</id><status>` + status + `</status></tokens>`
	}
	ref := p.want(0, "sendInvoice", shop+loyal).InvoiceReference
	p.refused(p.Pay(ref), "scan first")
	p.must(p.Scan(ref))
	a := p.status(shop, ref)
	if a.Status != "PENDING_ISSUER_ACKNOWLEDGE" || a.Version != 1 || len(a.Tokens) != 1 || a.Tokens[0].Status != 0 {
		t.Fatalf("after the scan: %+v", a)
	}
	p.refused(p.Pay(ref), "waits for the shop")
	id := a.Tokens[0].ID
	discounted := strings.ReplaceAll(loyal, ">100<", ">90<")
	p.want(49, "updateInvoice", shop+named(ref)+discounted+token(id, "7"))
	p.want(49, "updateInvoice", shop+named(ref)+strings.ReplaceAll(discounted, "SEK", "EUR")+token(id, "1"))
	p.want(64, "updateInvoice", shop+named(ref)+strings.Replace(discounted, "</invoice>", "<notificationUrl>x</notificationUrl></invoice>", 1)+token(id, "1"))
	if a := p.status(shop, ref); a.Status != "PENDING_ISSUER_ACKNOWLEDGE" || a.Version != 1 {
		t.Fatalf("after refused updates: %+v", a)
	}
	p.want(0, "updateInvoice", shop+named(ref)+discounted+token(id, "1"))
	if a := p.status(shop, ref); a.Status != "ISSUED" || a.Version != 2 || a.Tokens[0].Status != 1 {
		t.Fatalf("after the answer: %+v", a)
	}
	p.must(p.Confirm(ref))
	p.want(48, "updateInvoice", shop+named(ref)+discounted)
	p.must(p.Pay(ref))
	if a := p.status(shop, ref); a.Status != "PAID" || a.Receipt.Total != "90.00" || a.Version != 3 {
		t.Errorf("after paying: %+v", a)
	}
	p.want(90, "updateInvoice", shop+named(ref)+discounted)
}

func TestLoyaltyTokenRefused(t *testing.T) {
	p := serve(t, manual())
	for _, status := range []string{"90", "99"} {
		ref := p.want(0, "sendInvoice", shop+strings.Replace(invoiceOf("100"), "NO_ACK", "OPTIONAL_ACK", 1)).InvoiceReference
		p.must(p.Scan(ref))
		id := p.status(shop, ref).Tokens[0].ID
		p.want(0, "updateInvoice", shop+named(ref)+`<tokens><id>`+id+`</id><status>`+status+`</status></tokens>`)
		p.must(p.Pay(ref))
	}
}

// Any updateInvoice after the scan lets the buyer go on; none before it does, unless loyalty is given up.
func TestUpdateAfterTheScanLetsTheBuyerGoOn(t *testing.T) {
	p := serve(t, manual())
	loyal := strings.Replace(invoiceOf("100"), "NO_ACKNOWLEDGMENT", "REQUIRE_ACKNOWLEDGMENT", 1)
	token := func(id, status string) string {
		return `<tokens><id>` + id + `</id><status>` + status + `</status><value>` + id + `</value></tokens>`
	}
	scanned := func() string {
		ref := p.want(0, "sendInvoice", shop+loyal).InvoiceReference
		p.must(p.Scan(ref))
		p.refused(p.Pay(ref), "waits for the shop")
		p.refused(p.Confirm(ref), "waits for the shop")
		return ref
	}
	t.Run("update before the scan", func(t *testing.T) {
		ref := p.want(0, "sendInvoice", shop+loyal).InvoiceReference
		p.want(0, "updateInvoice", shop+named(ref)+loyal)
		p.refused(p.Pay(ref), "scan first")
		p.must(p.Scan(ref))
		if a := p.status(shop, ref); a.Status != "PENDING_ISSUER_ACKNOWLEDGE" || len(a.Tokens) != 1 {
			t.Errorf("%+v", a)
		}
	})
	t.Run("loyalty given up before the scan", func(t *testing.T) {
		ref := p.want(0, "sendInvoice", shop+loyal+token("A", "0")).InvoiceReference
		p.want(0, "updateInvoice", shop+named(ref)+invoiceOf("100"))
		p.must(p.Pay(ref))
	})
	t.Run("without tokens", func(t *testing.T) {
		ref := scanned()
		p.want(0, "updateInvoice", shop+named(ref)+strings.ReplaceAll(loyal, ">100<", ">80<"))
		a := p.status(shop, ref)
		if a.Status != "ISSUED" || a.Version != 2 || len(a.Tokens) != 1 || a.Tokens[0].Status != 0 {
			t.Errorf("%+v", a)
		}
		p.must(p.Pay(ref))
		if a := p.status(shop, ref); a.Status != "PAID" || a.Receipt.Total != "80.00" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("with nothing but its reference", func(t *testing.T) {
		ref := scanned()
		p.want(0, "updateInvoice", shop+named(ref))
		p.must(p.Pay(ref))
	})
	t.Run("with a card swiped after the scan", func(t *testing.T) {
		ref := scanned()
		p.want(0, "updateInvoice", shop+named(ref)+loyal+token("swiped", "1"))
		a := p.status(shop, ref)
		if a.Status != "ISSUED" || len(a.Tokens) != 2 || a.Tokens[1].ID != "swiped" || a.Tokens[1].Status != 1 {
			t.Errorf("%+v", a)
		}
		p.want(0, "updateInvoice", shop+named(ref)+loyal+token("another", "90"))
		if b := p.status(shop, ref); b.Version != a.Version+1 || len(b.Tokens) != 3 {
			t.Errorf("a new token: %+v after version %d", b, a.Version)
		}
		p.must(p.Pay(ref))
	})
}

// TestPreliminaryAmount: what the buyer reserved is lowered to the final amount, and committed.
func TestPreliminaryAmount(t *testing.T) {
	p := serve(t, manual())
	reserved := strings.Replace(invoiceOf("100"), "IMMEDIATE_DEBIT", "RESERVATION_REQUIRED_PRELIMINARY_AMOUNT", 1)
	final := func(amount string) string { return strings.ReplaceAll(reserved, ">100<", ">"+amount+"<") }
	ref := p.want(0, "sendInvoice", shop+reserved).InvoiceReference
	p.must(p.Pay(ref))
	p.want(11, "updateInvoice", shop+named(ref)+final("100.01"))
	p.want(0, "updateInvoice", shop+named(ref)+final("60"))
	p.want(0, "updateInvoice", shop+named(ref)+final("75.50"))
	if a := p.status(shop, ref); a.Status != "RESERVED" || a.Version != 1 {
		t.Errorf("after updateInvoice: %+v", a)
	}
	p.want(0, "commitReservation", shop+named(ref))
	a := p.status(shop, ref)
	if a.Status != "PAID" || a.Receipt.Total != "75.50" {
		t.Errorf("after commitReservation: %+v", a)
	}
	p.want(90, "updateInvoice", shop+named(ref)+final("10"))
	p.want(98, "refundPayment", shop+payment(a.ErsReference)+invoiceOf("75.51"))
}

// An update that names no payment mode keeps that of the invoice.
func TestUpdateKeepsAReservation(t *testing.T) {
	p := serve(t, manual())
	ref := p.want(0, "sendInvoice", shop+reservation("100", "60")).InvoiceReference
	p.want(0, "updateInvoice", shop+named(ref)+strings.Replace(invoiceOf("90"), "<paymentMode>IMMEDIATE_DEBIT</paymentMode>", "", 1))
	p.must(p.Pay(ref))
	if a := p.status(shop, ref); a.Status != "RESERVED" {
		t.Errorf("%+v", a)
	}
}

// Without an acknowledgmentMode the buyer has to wait: it is REQUIRE_ACKNOWLEDGMENT then.
func TestNoAcknowledgmentModeMakesTheBuyerWait(t *testing.T) {
	p := serve(t, manual())
	ref := p.want(0, "sendInvoice", shop+"<invoice>"+total("SEK", "5")+"</invoice>").InvoiceReference
	p.refused(p.Pay(ref), "NO_ACKNOWLEDGMENT")
	p.must(p.Scan(ref))
	p.refused(p.Pay(ref), "NO_ACKNOWLEDGMENT")
	if a := p.status(shop, ref); a.Status != "PENDING_ISSUER_ACKNOWLEDGE" || a.Version != 1 {
		t.Errorf("%+v", a)
	}
	p.want(0, "updateInvoice", shop+named(ref)+"<invoice>"+total("SEK", "5")+"</invoice>")
	p.must(p.Pay(ref))
}

func (p *provider) get(path string) (int, string) {
	p.t.Helper()
	return p.do(http.MethodGet, path, "", "")
}
