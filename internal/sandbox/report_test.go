package sandbox_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// mark closes a period and waits until its reports are there.
func (p *provider) mark(context, parameters string) string {
	p.t.Helper()
	a := p.want(0, "markTransactionPeriod", context+parameters)
	if len(a.TransactionPeriodID) != 25 {
		p.t.Fatalf("transactionPeriodId %q", a.TransactionPeriodID)
	}
	return a.TransactionPeriodID
}

// report is the XML of one whose period is ready.
func (p *provider) report(context, id string, pairs ...string) string {
	p.t.Helper()
	ask := context + `<reportId>Reconciliation/` + id + `.xml</reportId>` + params(pairs...)
	a := p.call("executeReport", ask)
	if a.Code == 2 {
		p.Advance(3 * time.Second)
		a = p.want(0, "executeReport", ask)
	}
	content, err := base64.StdEncoding.DecodeString(a.Report.Content)
	if err != nil || string(content) != a.Report.ContentString || a.Report.MimeType != "text/html" {
		p.t.Errorf("report %+v", a.Report)
	}
	return string(content)
}

// meta cuts a report into what it is about and its rows.
func meta(t *testing.T, doc, root string) (string, []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(doc), "\n")
	last := len(lines) - 1
	if lines[0] != `<?xml version="1.0" encoding="UTF-8"?>` || lines[1] != "<"+root+">" || lines[last] != "</"+root+">" {
		t.Fatalf("the report is\n%s", doc)
	}
	return lines[2], lines[3:last]
}

func TestReports(t *testing.T) {
	p := serve(t, manual())
	anna := strings.Replace(invoiceOf("93.31"), "</invoice>", "<cashierId>anna</cashierId></invoice>", 1)
	ref := p.want(0, "sendInvoice", shop+anna).InvoiceReference
	p.must(p.Pay(ref))
	ers1 := p.status(shop, ref).ErsReference
	_, ers2 := p.paid(shop, "10.00")
	_, ers3 := p.paid(other, "7.00")
	back := p.want(0, "refundPayment", shop+payment(ers2)+invoiceOf("4.00")).ErsReference
	unfetched := p.issue(shop, "1000.00")
	p.must(p.Pay(unfetched))
	foreign := strings.NewReplacer("demo-terminal", "foreign", "demo-secret", "foreign-secret").Replace(shop)
	p.paid(foreign, "3.00")

	period := p.mark(reseller, "")
	ofShop := p.mark(reseller, params("TERMINALID", "demo-terminal"))
	ofTill := p.mark(till, "")

	row := func(terminal, cashier, amount, ers string) string {
		return "<Row><TerminalId>" + terminal + "</TerminalId><CashierId>" + cashier + "</CashierId><SalesAmount>" + amount +
			"</SalesAmount><ErsReference>" + ers + "</ErsReference></Row>"
	}
	summary := func(terminal, count, total, refunds, refunded string) string {
		if terminal != "" {
			terminal = "<TerminalId>" + terminal + "</TerminalId>"
		}
		return "<Row>" + terminal + "<SalesCount>" + count + "</SalesCount><SalesTotal>" + total + "</SalesTotal><RefundCount>" + refunds +
			"</RefundCount><RefundTotal>" + refunded + "</RefundTotal></Row>"
	}
	shopRows := []string{
		row("demo-terminal", "anna", "93.31000", ers1), row("demo-terminal", "NULL", "10.00000", ers2),
	}
	refundRow := row("demo-terminal", "NULL", "-4.00000", back)
	for _, c := range []struct {
		name, context, id, root string
		pairs                   []string
		terminal                string
		rows                    []string
	}{
		{"shop", reseller, "Shop", "ResellerTransactionSummary", []string{"transactionPeriodId", period}, "",
			[]string{summary("", "3", "110.31000", "1", "4.00000")}},
		{"last period unless named", reseller, "Shop", "ResellerTransactionSummary", nil, "",
			[]string{summary("", "3", "110.31000", "1", "4.00000")}},
		{"by terminal", reseller, "STD_RECON_002", "TerminalTransactionSummary", []string{"transactionPeriodId", period}, "",
			[]string{summary("demo-terminal", "2", "103.31000", "1", "4.00000"), summary("other-terminal", "1", "7.00000", "0", "0.00000")}},
		{"details", reseller, "STD_RECON_003", "TransactionDetails", []string{"transactionPeriodId", period}, "",
			append(append([]string{}, shopRows...), row("other-terminal", "NULL", "7.00000", ers3), refundRow)},
		{"details of one terminal", reseller, "STD_RECON_003", "TransactionDetails", []string{"transactionPeriodId", ofShop, "TERMINALID", "demo-terminal"}, "demo-terminal",
			append(append([]string{}, shopRows...), refundRow)},
		{"summary of one terminal", reseller, "STD_RECON_004", "TerminalTransactionSummary", []string{"transactionPeriodId", ofShop, "TERMINALID", "demo-terminal"}, "demo-terminal",
			[]string{summary("demo-terminal", "2", "103.31000", "1", "4.00000")}},
		{"cashiers", reseller, "STD_RECON_006", "CashierTransactionSummary", []string{"transactionPeriodId", ofShop, "TERMINALID", "demo-terminal"}, "demo-terminal",
			[]string{summary("", "1", "10.00000", "1", "4.00000"), summary("", "1", "93.31000", "0", "0.00000")}},
		{"terminal's details", reseller, "STD_RECON_007", "TransactionDetails", []string{"transactionPeriodId", ofShop, "TERMINALID", "demo-terminal"}, "demo-terminal",
			append(append([]string{}, shopRows...), refundRow)},
		{"empty", till, "Shop", "ResellerTransactionSummary", []string{"transactionPeriodId", ofTill}, "till",
			[]string{summary("", "0", "0.00000", "0", "0.00000")}},
		{"empty details", till, "STD_RECON_007", "TransactionDetails", []string{"transactionPeriodId", ofTill}, "till", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			about, rows := meta(t, p.report(c.context, c.id, c.pairs...), c.root)
			terminal := ""
			if c.terminal != "" {
				terminal = "<TerminalId>" + c.terminal + "</TerminalId>"
			}
			if !strings.HasPrefix(about, "<Meta><ResellerId>demo-reseller</ResellerId>"+terminal+"<TransactionPeriodId>") ||
				!strings.HasSuffix(about, "<GeneratedAt>2026-03-01 12:00</GeneratedAt></Meta>") {
				t.Errorf("Meta is %s", about)
			}
			if got, want := strings.Join(rows, "\n"), strings.Join(c.rows, "\n"); got != want {
				t.Errorf("rows\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestPeriodsFollowOneAnother(t *testing.T) {
	p := serve(t, manual())
	_, first := p.paid(shop, "1")
	p.mark(shop, "")
	_, second := p.paid(shop, "2")
	p.want(0, "refundPayment", shop+payment(first)+invoiceOf("1"))
	terminals := p.mark(reseller, params("TERMINALID", "demo-terminal"))
	resellers := p.mark(reseller, "")

	doc := p.report(shop, "STD_RECON_007", "transactionPeriodId", terminals)
	if strings.Contains(doc, "<ErsReference>"+first) || !strings.Contains(doc, second) || !strings.Contains(doc, "-1.00000") {
		t.Errorf("the terminal's second period:\n%s", doc)
	}
	doc = p.report(reseller, "STD_RECON_003", "transactionPeriodId", resellers)
	if !strings.Contains(doc, first) || !strings.Contains(doc, second) {
		t.Errorf("the reseller's first period:\n%s", doc)
	}
	l := p.Ledger().Periods
	if len(l) != 3 || l[0].Payments != 1 || l[1].Payments != 1 || l[1].Refunds != 1 || l[2].Payments != 2 || l[2].Terminal != "" {
		t.Errorf("ledger %+v", l)
	}
}

func TestReportsAreNotReadyAtFirst(t *testing.T) {
	p := serve(t, manual())
	ask := func(period string) string {
		return reseller + `<reportId>Reconciliation/Shop.xml</reportId>` + params("transactionPeriodId", period)
	}
	period := p.mark(reseller, "")
	p.want(2, "executeReport", ask(period))
	p.Advance(3*time.Second - time.Millisecond)
	p.want(2, "executeReport", ask(period))
	p.Advance(time.Millisecond)
	p.want(0, "executeReport", ask(period))
	late := p.mark(reseller, "")
	p.Advance(time.Hour)
	if a := p.want(2, "executeReport", ask(late)); a.Text != "REPORT_NOT_READY" {
		t.Errorf("%q", a.Text)
	}
	a := p.want(0, "executeReport", ask(late))
	if a.Report.Title != "Shop_"+late+".xml" {
		t.Errorf("title %q", a.Report.Title)
	}
}

func TestReportsThatAreRefused(t *testing.T) {
	p := serve(t, manual())
	period, ofShop := p.mark(reseller, ""), p.mark(shop, "")
	foreign := strings.NewReplacer("demo-reseller", "another-reseller", "9900", "1", "demo-secret", "another-secret").Replace(reseller)
	for _, c := range []struct {
		name, context, id string
		pairs             []string
		code              int
	}{
		{"unknown report", reseller, "STD_RECON_005", nil, 10},
		{"unknown period", reseller, "Shop", []string{"transactionPeriodId", "1"}, 10},
		{"needs a terminal", reseller, "STD_RECON_006", []string{"transactionPeriodId", period}, 10},
		{"needs a terminal too", reseller, "STD_RECON_007", []string{"transactionPeriodId", period}, 10},
		{"unknown terminal", reseller, "STD_RECON_007", []string{"TERMINALID", "nobody"}, 38},
		{"another reseller's terminal", foreign, "STD_RECON_007", []string{"TERMINALID", "demo-terminal"}, 38},
		{"another reseller's period", foreign, "Shop", []string{"transactionPeriodId", period}, 10},
		{"another terminal's period", other, "STD_RECON_007", []string{"transactionPeriodId", ofShop}, 10},
		{"a terminal asks for another", shop, "STD_RECON_007", []string{"TERMINALID", "other-terminal"}, 38},
		{"nothing marked", other, "STD_RECON_007", nil, 10},
	} {
		a := p.call("executeReport", c.context+`<reportId>Reconciliation/`+c.id+`.xml</reportId>`+params(c.pairs...))
		if a.Code != c.code {
			t.Errorf("%s: %d %s, want %d", c.name, a.Code, a.Text, c.code)
		}
	}
	p.want(38, "markTransactionPeriod", reseller+params("TERMINALID", "foreign"))
	p.want(38, "markTransactionPeriod", shop+params("TERMINALID", "till"))
}

// TestReportOfAPeriodMarkedWithoutTheTerminalIsNeverReady: TERMINALID has to be in both calls.
func TestReportOfAPeriodMarkedWithoutTheTerminalIsNeverReady(t *testing.T) {
	p := serve(t, manual())
	p.paid(shop, "5")
	period := p.mark(reseller, "")
	of := func(context string, pairs ...string) string {
		return context + `<reportId>Reconciliation/STD_RECON_007.xml</reportId>` + params(append(pairs, "transactionPeriodId", period)...)
	}
	for range 3 {
		p.want(2, "executeReport", of(reseller, "TERMINALID", "demo-terminal"))
		p.want(2, "executeReport", of(shop))
		p.Advance(time.Hour)
	}
	p.report(reseller, "Shop", "transactionPeriodId", period)
}

// TestEntriesWithoutAParameterElement: the provider's own sample writes them so.
func TestEntriesWithoutAParameterElement(t *testing.T) {
	p := serve(t, manual())
	p.mark(reseller, "<parameters><entry><key>TERMINALID</key><value>demo-terminal</value></entry></parameters>")
	if l := p.Ledger().Periods; len(l) != 1 || l[0].Terminal != "demo-terminal" {
		t.Errorf("%+v", l)
	}
}

// What a terminal has sold, or closed, can be reported on when it is gone.
func TestReportOfATerminalThatIsGone(t *testing.T) {
	p := serve(t, manual())
	register := func(external string) (id, context string) {
		id = p.want(0, "registerTerminal", reseller+`<externalTerminalId>`+external+`</externalTerminalId><password>kassa-secret</password>`).TerminalID
		return id, strings.NewReplacer("demo-terminal", id, "demo-secret", "kassa-secret").Replace(shop)
	}
	seller, ofSeller := register("sells")
	_, ers := p.paid(ofSeller, "12.50")
	closer, ofCloser := register("closes")
	idle, ofIdle := register("idles")
	empty := p.mark(ofCloser, "")
	for _, context := range []string{ofSeller, ofCloser, ofIdle} {
		p.want(0, "unregisterTerminal", context)
	}
	period := p.mark(reseller, params("TERMINALID", seller))
	if doc := p.report(reseller, "STD_RECON_007", "transactionPeriodId", period, "TERMINALID", seller); !strings.Contains(doc, ers) {
		t.Errorf("the sale is missing:\n%s", doc)
	}
	p.report(reseller, "STD_RECON_007", "transactionPeriodId", empty, "TERMINALID", closer)
	p.want(38, "markTransactionPeriod", reseller+params("TERMINALID", idle))
	foreign := strings.NewReplacer("demo-reseller", "another-reseller", "9900", "1", "demo-secret", "another-secret").Replace(reseller)
	for _, id := range []string{seller, closer} {
		p.want(38, "executeReport", foreign+`<reportId>Reconciliation/STD_RECON_007.xml</reportId>`+params("TERMINALID", id))
	}
}
