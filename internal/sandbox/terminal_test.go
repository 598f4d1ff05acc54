package sandbox_test

import (
	"strings"
	"testing"
)

func TestCashRegisterHasOneLiveInvoice(t *testing.T) {
	p := serve(t, manual())
	first := p.issue(till, "5")
	second := p.issue(till, "6")
	if a := p.status(till, first); a.Status != "CANCELED" || a.Version != 1 {
		t.Errorf("the first: %+v", a)
	}
	p.must(p.Pay(second))
	p.issue(till, "7") // a paid one is not live any more, and stays
	if a := p.status(till, second); a.Status != "PAID" {
		t.Errorf("the second: %+v", a)
	}
	one, two := p.issue(shop, "5"), p.issue(shop, "6")
	for _, ref := range []string{one, two} {
		if a := p.status(shop, ref); a.Status != "ISSUED" {
			t.Errorf("a webshop's: %+v", a)
		}
	}
}

func TestTerminalsComeAndGo(t *testing.T) {
	p := serve(t, manual())
	register := func(external, password string) string {
		return `<externalTerminalId>` + external + `</externalTerminalId><password>` + password + `</password><name>Kassa Å</name>`
	}
	p.want(56, "registerTerminal", reseller+register("", "secret"))
	p.want(56, "registerTerminal", reseller+register("k1", ""))
	id := p.want(0, "registerTerminal", reseller+register("k1", "kassa-secret")).TerminalID
	kassa := strings.NewReplacer("demo-terminal", id, "demo-secret", "kassa-secret").Replace(shop)

	p.want(53, "assignSeqrId", kassa+`<seqrId>not-alphanumeric</seqrId>`)
	p.want(53, "assignSeqrId", kassa)
	p.want(0, "assignSeqrId", kassa+`<seqrId>ABC123</seqrId>`)
	p.want(0, "assignSeqrId", kassa+`<seqrId>ABC123</seqrId>`)
	p.want(53, "assignSeqrId", shop+`<seqrId>ABC123</seqrId>`)

	if status, body := p.get("/QABC123"); status != 200 || !strings.Contains(body, "Kassa Å") {
		t.Errorf("the terminal's page: %d %s", status, body)
	}
	ref := p.issue(kassa, "5")
	if _, body := p.get("/QABC123"); !strings.Contains(body, ref) {
		t.Error("the terminal's page does not lead to the invoice")
	}
	next := p.issue(kassa, "6")
	if a := p.status(kassa, ref); a.Status != "CANCELED" {
		t.Errorf("a registered terminal is a cash register, but %+v", a)
	}
	p.want(21, "unregisterTerminal", shop)
	p.want(0, "unregisterTerminal", kassa)
	p.want(29, "getPaymentStatus", kassa+named(next))
	if got := p.invoice(next).Status; got != "CANCELED" {
		t.Errorf("what it had on show is %s", got)
	}
	if status, _ := p.get("/QABC123"); status != 404 {
		t.Errorf("the code of a terminal that is gone: %d", status)
	}
	p.want(0, "assignSeqrId", shop+`<seqrId>ABC123</seqrId>`)
	p.want(0, "registerTerminal", reseller+register("k1", "kassa-secret"))

	weak := p.want(0, "registerTerminal", reseller+register("k2", "abc")).TerminalID
	p.want(21, "sendInvoice", strings.NewReplacer("demo-terminal", weak, "demo-secret", "abc").Replace(shop)+invoiceOf("5"))
}

// TestTillRegistersAtEachStart: the same externalTerminalId is a new terminal, and takes the till's code with it.
func TestTillRegistersAtEachStart(t *testing.T) {
	p := serve(t, manual())
	starts := func() string {
		id := p.want(0, "registerTerminal", reseller+`<externalTerminalId>k1</externalTerminalId><password>kassa-secret</password>`).TerminalID
		context := strings.NewReplacer("demo-terminal", id, "demo-secret", "kassa-secret").Replace(shop)
		p.want(0, "assignSeqrId", context+`<seqrId>K1</seqrId>`)
		return context
	}
	first := starts()
	old := p.issue(first, "5")
	second := starts()
	if first == second {
		t.Fatal("the terminalId is the same")
	}
	ref := p.issue(second, "6")
	if _, body := p.get("/QK1"); !strings.Contains(body, ref) {
		t.Error("the till's code does not lead to the new terminal's invoice")
	}
	if a := p.status(first, old); a.Status != "ISSUED" {
		t.Errorf("the old terminal's invoice: %+v", a)
	}
	p.want(0, "unregisterTerminal", first)
	if _, body := p.get("/QK1"); !strings.Contains(body, ref) {
		t.Error("the old terminal took the code away")
	}
}

// TestTerminalIsUnregisteredInBothForms: as the terminal itself, or as its reseller, which means the last one.
func TestTerminalIsUnregisteredInBothForms(t *testing.T) {
	p := serve(t, manual())
	register := func(external string) string {
		id := p.want(0, "registerTerminal", reseller+`<externalTerminalId>`+external+`</externalTerminalId><password>kassa-secret</password>`).TerminalID
		return strings.NewReplacer("demo-terminal", id, "demo-secret", "kassa-secret").Replace(shop)
	}
	p.want(38, "unregisterTerminal", reseller)
	one, two, three := register("1"), register("2"), register("3")
	p.want(0, "unregisterTerminal", three)
	p.want(0, "unregisterTerminal", reseller)
	p.want(29, "sendInvoice", two+invoiceOf("5"))
	p.issue(one, "5")
}
