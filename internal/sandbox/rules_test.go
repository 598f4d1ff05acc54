package sandbox_test

import (
	"strings"
	"testing"
)

func TestCallersAreAuthenticated(t *testing.T) {
	p := serve(t, manual())
	who := func(kind, id, user, password string) string {
		return `<context><initiatorPrincipalId><id>` + id + `</id><type>` + kind + `</type><userId>` + user +
			`</userId></initiatorPrincipalId><password>` + password + `</password></context>`
	}
	terminal := func(id, password string) string { return who("TERMINALID", id, "", password) }
	for _, c := range []struct {
		name, op, context string
		code              int
	}{
		{"good", "sendInvoice", terminal("demo-terminal", "demo-secret"), 0},
		{"wrong password", "sendInvoice", terminal("demo-terminal", "demo-secreT"), 20},
		{"no password", "sendInvoice", terminal("demo-terminal", ""), 20},
		{"short password, right", "sendInvoice", terminal("short", "abc"), 21},
		{"short password, right, status", "getPaymentStatus", terminal("short", "abc"), 21},
		{"short password, right, unregister", "unregisterTerminal", terminal("short", "abc"), 21},
		{"short password, right, elsewhere", "cancelInvoice", terminal("short", "abc"), 54},
		{"three characters of two octets", "sendInvoice", terminal("short and foreign", "åäö"), 21},
		{"short password, wrong", "sendInvoice", terminal("demo-terminal", "abc"), 20},
		{"short password, wrong, status", "getPaymentStatus", terminal("demo-terminal", "x"), 20},
		{"another short password", "sendInvoice", terminal("short", "abd"), 20},
		{"unknown terminal", "sendInvoice", terminal("nobody", "demo-secret"), 29},
		{"unknown terminal, short password", "getPaymentStatus", terminal("nobody", "abc"), 29},
		{"no context", "sendInvoice", "", 29},
		{"no principal", "sendInvoice", "<context><password>demo-secret</password></context>", 29},
		{"no id", "sendInvoice", terminal("", "demo-secret"), 29},
		{"no type", "sendInvoice", who("", "demo-terminal", "", "demo-secret"), 29},
		{"strange type", "sendInvoice", who("PHONE", "demo-terminal", "", "demo-secret"), 29},
		{"reseller where a terminal must be", "sendInvoice", reseller, 29},
		{"terminal where a reseller must be", "registerTerminal", shop, 29},
		{"good reseller", "markTransactionPeriod", who("RESELLERUSER", "demo-reseller", "9900", "demo-secret"), 0},
		{"user behind a slash and as userId", "markTransactionPeriod", who("RESELLERUSER", "demo-reseller/9900", "9900", "demo-secret"), 0},
		{"user behind a slash, another as userId", "markTransactionPeriod", who("RESELLERUSER", "demo-reseller/9900", "1", "demo-secret"), 37},
		{"user behind a slash", "markTransactionPeriod", who("RESELLERUSER", "demo-reseller/9900", "", "demo-secret"), 0},
		{"terminal marks", "markTransactionPeriod", shop, 0},
		{"reseller without a user", "markTransactionPeriod", who("RESELLERUSER", "demo-reseller", "", "demo-secret"), 29},
		{"unknown reseller", "markTransactionPeriod", who("RESELLERUSER", "nobody", "9900", "demo-secret"), 37},
		{"unknown user", "markTransactionPeriod", who("RESELLERUSER", "demo-reseller", "1", "demo-secret"), 37},
		{"reseller, wrong password", "markTransactionPeriod", who("RESELLERUSER", "demo-reseller", "9900", "x"), 20},
		{"benchmarkingNop needs no principal", "benchmarkingNop", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := p.call(c.op, c.context+invoiceOf("5")); a.Code != c.code || strings.Contains(a.Text, "secret") {
				t.Errorf("%d %s, want %d", a.Code, a.Text, c.code)
			}
		})
	}
}

func TestEveryOperationNeedsAPrincipal(t *testing.T) {
	p := serve(t, manual())
	for _, op := range []string{
		"sendInvoice", "updateInvoice", "getPaymentStatus", "cancelInvoice", "commitReservation", "submitPaymentReceipt", "refundPayment",
		"registerTerminal", "unregisterTerminal", "assignSeqrId", "markTransactionPeriod", "executeReport",
	} {
		p.want(29, op, "")
		p.want(20, op, strings.Replace(map[bool]string{true: reseller, false: shop}[op == "registerTerminal"], "demo-secret", "wrong-one", 1))
	}
	for _, op := range []string{
		"requestTopup", "requestTransfer", "requestPurchase", "requestPrincipalInformation", "changePrincipalPassword", "confirmCustomerRegistration",
	} {
		p.want(91, op, "")
	}
}

func total(currency, value string) string {
	return `<totalAmount><currency>` + currency + `</currency><value>` + value + `</value></totalAmount>`
}

func item(value string) string {
	return `<invoiceRow><itemTotalAmount><currency>SEK</currency><value>` + value + `</value></itemTotalAmount></invoiceRow>`
}

func rows(items ...string) string {
	return `<invoiceRows>` + strings.Join(items, "") + `</invoiceRows>`
}

func TestInvoicesAreChecked(t *testing.T) {
	p := serve(t, manual())
	for _, c := range []struct {
		name, invoice string
		code          int
		total         string
	}{
		{"no rows", total("SEK", "10.00"), 0, "10.00"},
		{"empty rows", rows() + total("SEK", "10.00"), 0, "10.00"},
		{"whole number", total("SEK", "500"), 0, "500.00"},
		{"one decimal", total("SEK", "500.0"), 0, "500.00"},
		{"exponent", total("SEK", "1e2"), 0, "100.00"},
		{"space around", total("SEK", " 10.00\n"), 0, "10.00"},
		{"plus sign", total("SEK", "+7.50"), 0, "7.50"},
		{"three decimals", total("KWD", "1.250"), 0, "1.250"},
		{"rows sum", rows(item("6.50"), item("3.5")) + total("SEK", "10.00"), 0, "10.00"},
		{"negative row", rows(item("12"), item("-2")) + total("SEK", "10.00"), 0, "10.00"},
		{"row without a total", rows(item("10"), "<invoiceRow><itemDescription>a note</itemDescription></invoiceRow>") + total("SEK", "10"), 0, "10.00"},
		{"row without a currency", rows(strings.Replace(item("10"), "<currency>SEK</currency>", "", 1)) + total("SEK", "10"), 0, "10.00"},
		{"rows of 0.1", rows(item("0.1"), item("0.1"), item("0.1")) + total("SEK", "0.3"), 0, "0.30"},
		{"http address", "<notificationUrl>http://127.0.0.1:1/n</notificationUrl>" + total("SEK", "1"), 0, "1.00"},
		{"https address", "<notificationUrl>HTTPS://shop.example/n</notificationUrl>" + total("SEK", "1"), 0, "1.00"},
		{"date with zone", "<issueDate>2026-03-01T12:00:00.5+02:00</issueDate>" + total("SEK", "1"), 0, "1.00"},
		{"date without zone", "<issueDate>2026-03-01T12:00:00</issueDate>" + total("SEK", "1"), 0, "1.00"},
		{"date of the farthest zone", "<issueDate>2026-03-01T12:00:00-14:00</issueDate>" + total("SEK", "1"), 0, "1.00"},
		{"date beyond all zones", "<issueDate>2026-03-01T12:00:00+14:01</issueDate>" + total("SEK", "1"), 49, ""},
		{"day beyond all zones", "<issueDate>2026-03-01-24:00</issueDate>" + total("SEK", "1"), 49, ""},
		{"rows fall short", rows(item("6.50")) + total("SEK", "10.00"), 49, ""},
		{"rows by a cent", rows(item("10.01")) + total("SEK", "10.00"), 49, ""},
		{"row in another currency", rows(strings.Replace(item("10"), "SEK", "EUR", 1)) + total("SEK", "10"), 49, ""},
		{"row that is no number", rows(item("ten")) + total("SEK", "10"), 49, ""},
		{"no total", "", 49, ""},
		{"no value", "<totalAmount><currency>SEK</currency></totalAmount>", 49, ""},
		{"zero", total("SEK", "0.00"), 49, ""},
		{"negative", total("SEK", "-5"), 49, ""},
		{"no number", total("SEK", "10,00"), 49, ""},
		{"not a number", total("SEK", "NaN"), 49, ""},
		{"hexadecimal", total("SEK", "0x10"), 49, ""},
		{"far too much", total("SEK", "1e30"), 49, ""},
		{"too much", total("SEK", "9999999999999"), 49, ""},
		{"zeros behind the digits", total("SEK", "1.5000"), 0, "1.50"},
		{"no digits", total("JPY", "100"), 0, "100"},
		{"three decimals of two", total("SEK", "1.255"), 49, ""},
		{"four decimals of three", total("KWD", "1.2505"), 49, ""},
		{"decimals of none", total("JPY", "100.5"), 49, ""},
		{"unknown currency, two decimals", total("XYZ", "1.25"), 0, "1.25"},
		{"unknown currency, three decimals", total("XYZ", "1.255"), 49, ""},
		{"rows beyond the digits", rows(item("9.995"), item("0.005")) + total("SEK", "10"), 49, ""},
		{"unit price beyond the digits", rows("<invoiceRow><itemTotalAmount><value>1</value></itemTotalAmount><itemUnitPrice><value>0.333</value></itemUnitPrice></invoiceRow>") + total("SEK", "1"), 49, ""},
		{"quantity of three decimals", rows("<invoiceRow><itemQuantity>1.355</itemQuantity><itemTotalAmount><value>1</value></itemTotalAmount></invoiceRow>") + total("SEK", "1"), 0, "1.00"},
		{"too fine", total("SEK", "0.00000001"), 49, ""},
		{"no currency", "<totalAmount><value>5</value></totalAmount>", 49, ""},
		{"currency in words", total("kronor", "5"), 49, ""},
		{"strange payment mode", "<paymentMode>LATER</paymentMode>" + total("SEK", "5"), 49, ""},
		{"strange acknowledgment", "<acknowledgmentMode>MAYBE</acknowledgmentMode>" + total("SEK", "5"), 49, ""},
		{"bad date", "<issueDate>yesterday</issueDate>" + total("SEK", "5"), 49, ""},
		{"bad timeout", "<commitReservationTimeout>soon</commitReservationTimeout>" + total("SEK", "5"), 49, ""},
		{"ftp address", "<notificationUrl>ftp://shop.example/n</notificationUrl>" + total("SEK", "5"), 64, ""},
		{"no scheme", "<notificationUrl>shop.example/n</notificationUrl>" + total("SEK", "5"), 64, ""},
		{"no host", "<notificationUrl>http:///n</notificationUrl>" + total("SEK", "5"), 64, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(p.Ledger().Invoices)
			a := p.call("sendInvoice", shop+"<invoice>"+c.invoice+"</invoice>")
			if a.Code != c.code {
				t.Fatalf("%d %s, want %d", a.Code, a.Text, c.code)
			}
			if c.code != 0 {
				if a.InvoiceReference != "" || len(p.Ledger().Invoices) != before {
					t.Error("refused, but there is an invoice")
				}
				return
			}
			if got := p.invoice(a.InvoiceReference).Total.String(); got != c.total {
				t.Errorf("total is %s, want %s", got, c.total)
			}
		})
	}
	p.want(49, "sendInvoice", shop)
}

func TestInvoicesBelongToTheirTerminal(t *testing.T) {
	p := serve(t, manual())
	ref := p.issue(shop, "5")
	for _, op := range []string{"getPaymentStatus", "cancelInvoice", "commitReservation", "updateInvoice"} {
		p.want(54, op, other+named(ref)+invoiceOf("5"))
		p.want(54, op, shop+named("1")+invoiceOf("5"))
		p.want(54, op, shop+invoiceOf("5"))
	}
	_, ers := p.paid(shop, "5")
	for _, op := range []string{"submitPaymentReceipt", "refundPayment"} {
		p.want(23, op, other+payment(ers)+invoiceOf("5"))
		p.want(23, op, shop+payment("1")+invoiceOf("5"))
		p.want(23, op, shop+invoiceOf("5"))
	}
}

// Sent again after a lost answer, an invoice is there twice: the provider does not tell them apart.
func TestSendInvoiceIsNotIdempotent(t *testing.T) {
	p := serve(t, manual())
	if a, b := p.issue(shop, "5"), p.issue(shop, "5"); a == b {
		t.Errorf("two invoices are both %s", a)
	}
}

// TestReceiptOfARefund: the refund's own ersReference is taken, by its own terminal.
func TestReceiptOfARefund(t *testing.T) {
	p := serve(t, manual())
	ref, ers := p.paid(shop, "5")
	back := p.want(0, "refundPayment", shop+payment(ers)+invoiceOf("2")).ErsReference
	p.want(0, "submitPaymentReceipt", shop+payment(back))
	p.want(23, "submitPaymentReceipt", other+payment(back))
	p.want(23, "refundPayment", shop+payment(back)+invoiceOf("1"))
	if l := p.Ledger().Receipts; len(l) != 1 || l[0].ErsReference != back || l[0].InvoiceReference != ref {
		t.Errorf("%+v", l)
	}
}

func TestReceiptDataMustBeBase64(t *testing.T) {
	p := serve(t, manual())
	_, ers := p.paid(shop, "5")
	p.want(10, "submitPaymentReceipt", shop+payment(ers)+"<receiptDocument><receiptData>&lt;b&gt;</receiptData></receiptDocument>")
	if n := len(p.Ledger().Receipts); n != 0 {
		t.Errorf("%d receipts", n)
	}
}
