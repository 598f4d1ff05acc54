package sandbox_test

import (
	"strings"
	"testing"
)

// TestDataOfAnEarlierVersionLoads: testdata/earlier was written before a missing acknowledgmentMode asked the shop, before a buyer's
// cancel was CANCELED, and when amounts could have three decimals.
func TestDataOfAnEarlierVersionLoads(t *testing.T) {
	const (
		declined, noMode, pending, reserved, paid = "1795646637435", "1795646637436", "1795646637437", "1795646637438", "1795646637439"
		ers, kassa                                = "2026112522435743500000001", "2ac214a90a92b956dcf0d4a6a7c8c1c8"
	)
	p := serve(t, kept(copyOf(t, "testdata/earlier")))
	for ref, want := range map[string]string{
		declined: "FAILED", noMode: "ISSUED", pending: "PENDING_ISSUER_ACKNOWLEDGE", reserved: "RESERVED", paid: "PAID",
	} {
		if a := p.status(shop, ref); a.Status != want {
			t.Errorf("%s is %s, want %s", ref, a.Status, want)
		}
	}
	if _, body := p.get("/wallet/" + noMode); !strings.Contains(body, `"scanned":false`) {
		t.Errorf("the buyer cannot scan again: %s", body)
	}
	p.must(p.Scan(noMode))
	for _, ref := range []string{noMode, pending} {
		p.want(0, "updateInvoice", shop+named(ref))
		p.must(p.Pay(ref))
	}
	p.want(11, "updateInvoice", shop+named(reserved)+invoiceOf("40.01"))
	p.want(0, "updateInvoice", shop+named(reserved)+invoiceOf("39"))
	p.want(0, "commitReservation", shop+named(reserved))
	if a := p.status(shop, reserved); a.Status != "PAID" || a.Receipt.Total != "39.00" {
		t.Errorf("%+v", a)
	}
	p.want(0, "refundPayment", shop+payment(ers)+invoiceOf("45.25"))
	refunds := p.Ledger().Refunds
	p.want(0, "submitPaymentReceipt", shop+payment(refunds[0].ErsReference))
	p.want(0, "registerTerminal", reseller+`<externalTerminalId>k1</externalTerminalId><password>kassa-secret</password>`)
	p.want(0, "unregisterTerminal", strings.NewReplacer("demo-terminal", kassa, "demo-secret", "kassa-secret").Replace(shop))
	p.want(0, "unregisterTerminal", reseller)
}
