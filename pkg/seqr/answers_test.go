package seqr_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func status(t *testing.T, body string) (seqr.PaymentStatus, error) {
	t.Helper()
	c := newClient(t, seqr.Config{Endpoint: answering(t, http.StatusOK, body).URL})
	return c.GetPaymentStatus(t.Context(), seqr.GetPaymentStatus{As: till(), InvoiceReference: "1357902468013"})
}

func TestPaidStatusOfAnotherStack(t *testing.T) {
	got, err := status(t, recorded(t, "status-paid.xml"))
	if err != nil {
		t.Fatal(err)
	}
	want := seqr.PaymentStatus{
		Status: seqr.StatusPaid, Version: 7, ErsReference: ers,
		Receipt: &seqr.PaymentReceipt{
			TerminalID: "till-1", PaymentDate: time.Date(2026, 3, 14, 11, 30, 15, 123e6, time.UTC), ClientInvoiceID: "order 17 & 18",
			InvoiceReference: "1357902468013", PaymentReference: ers, PayerTerminalID: "46700000001", ReceiverName: "Smörgås <AB>",
		},
		Tokens: []seqr.CustomerToken{{ID: "t1", Description: "Club", Value: "47 11"}, {ID: "t2", Status: seqr.TokenUnknown}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestIssuedStatus(t *testing.T) {
	got, err := status(t, recorded(t, "status-issued.xml"))
	if want := (seqr.PaymentStatus{Status: seqr.StatusIssued, Version: 1}); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSendInvoiceWithDefaultNamespaces(t *testing.T) {
	c := newClient(t, seqr.Config{Endpoint: answering(t, http.StatusOK, recorded(t, "send-invoice.xml")).URL})
	got, err := c.SendInvoice(t.Context(), seqr.SendInvoice{As: till()})
	if want := (seqr.SentInvoice{Reference: "1357902468013", QRCode: "HTTP://SEQR.SE/R1357902468013"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestOtherAnswers covers the results that are more than success or failure.
func TestOtherAnswers(t *testing.T) {
	ctx := t.Context()
	client := func(operation, inside string) *seqr.Client {
		return newClient(t, seqr.Config{Endpoint: answering(t, http.StatusOK, answerTo(operation, inside)).URL})
	}
	check := func(name string, got, want any, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}

	sent, err := client("sendInvoice", "<resultCode>0</resultCode><invoiceReference>1</invoiceReference>").SendInvoice(ctx, seqr.SendInvoice{As: till()})
	check("a reference without its code", sent, seqr.SentInvoice{Reference: "1", QRCode: "HTTP://SEQR.SE/R1"}, err)

	refund, err := client("refundPayment", "<ersReference>"+ers+"</ersReference><resultCode>0</resultCode>").RefundPayment(ctx, seqr.RefundPayment{As: till()})
	check("refund", refund, seqr.Refunded{ErsReference: ers}, err)

	id, err := client("registerTerminal", "<resultCode>0</resultCode><terminalId>abc</terminalId>").RegisterTerminal(ctx, seqr.RegisterTerminal{As: shop()})
	check("terminal", id, "abc", err)

	period, err := client("markTransactionPeriod", "<resultCode>0</resultCode><transactionPeriodId>"+ers+"</transactionPeriodId>").
		MarkTransactionPeriod(ctx, seqr.MarkTransactionPeriod{As: shop()})
	check("period", period, ers, err)

	for name, content := range map[string]string{
		"base64":            "<content>PGE+\r\n w7Y8 L2E+</content>",
		"text":              "<contentString>&lt;a&gt;ö&lt;/a&gt;</contentString>",
		"both":              "<contentString>no</contentString><content>PGE+w7Y8L2E+</content>",
		"both, one empty":   "<contentString><![CDATA[<a>ö</a>]]></contentString><content/>",
		"both, other order": "<content>PGE+w7Y8L2E+</content><contentString>no</contentString>",
	} {
		report, err := client("executeReport", "<resultCode>0</resultCode><report><title>r.xml</title><mimeType>text/html</mimeType>"+content+"</report>").
			ExecuteReport(ctx, seqr.ExecuteReport{As: shop()})
		check(name, report, seqr.Report{Title: "r.xml", MIMEType: "text/html", Content: []byte("<a>ö</a>")}, err)
	}
}

// TestUsableStatus: none of these oddities keeps a payment from being seen.
func TestUsableStatus(t *testing.T) {
	whole := answerTo("getPaymentStatus", "<resultCode>0</resultCode><status>PAID</status><version>2</version>")
	for name, body := range map[string]string{
		"byte order mark":           "\ufeff" + whole,
		"no declaration":            whole[strings.Index(whole, "<S:"):],
		"line breaks and comments":  strings.ReplaceAll(whole, "><", ">\r\n<!-- - --><?pi a?><"),
		"children in the namespace": strings.NewReplacer("<status", "<ns2:status", "</status", "</ns2:status").Replace(whole),
		"unknown element twice":     strings.Replace(whole, "<status>", "<new><status>ISSUED</status></new><new/><status>", 1),
		"foreign namesake":          strings.Replace(whole, "<status>", `<x:status xmlns:x="urn:x">ISSUED</x:status><status>`, 1),
		"receipt with a bad amount": strings.Replace(whole, "<status>",
			"<receipt><paymentDate>soon</paymentDate><invoice><title>x</title><totalAmount><value>12,50</value></totalAmount></invoice></receipt><status>", 1),
		"receipt with a bad timeout": strings.Replace(whole, "<status>",
			"<receipt><invoice><commitReservationTimeout>long</commitReservationTimeout></invoice></receipt><status>", 1),
		"entity in a number":    strings.Replace(whole, "<resultCode>0", "<resultCode>&#48;", 1),
		"element inside a text": strings.Replace(whole, "PAID", "PA<b>x</b>ID", 1),
	} {
		got, err := status(t, body)
		if err != nil || got.Status != seqr.StatusPaid || got.Version != 2 {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// TestReceiptNamesThePayment: the receipt stands in for the reference that an answer lacks, once there is a payment.
func TestReceiptNamesThePayment(t *testing.T) {
	const receipt = "<receipt><invoiceReference> 1357902468013\n</invoiceReference><paymentReference> " + ers + " </paymentReference></receipt>"
	for name, c := range map[string]struct{ before, status, want string }{
		"without ersReference": {"", "PAID", ers},
		"with both":            {"<ersReference>4711</ersReference>", "PAID", "4711"},
		"before the payment":   {"", "RESERVED", ""},
	} {
		got, err := status(t, answerTo("getPaymentStatus", c.before+"<resultCode>0</resultCode><status>"+c.status+"</status>"+receipt))
		if err != nil || got.ErsReference != c.want || got.Status != seqr.InvoiceStatus(c.status) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// TestReceiptOfAnotherInvoice: nothing in such an answer can be relied on.
func TestReceiptOfAnotherInvoice(t *testing.T) {
	got, err := status(t, answerTo("getPaymentStatus", "<ersReference>"+ers+"</ersReference><resultCode>0</resultCode><status>PAID</status>"+
		"<receipt><invoiceReference>1357902468014</invoiceReference></receipt><version>2</version>"))
	if seqr.Classify(err) != seqr.Unknown || !cmp.Equal(got, seqr.PaymentStatus{}) || !strings.Contains(err.Error(), "another invoice") {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestStatusWithoutAVersion has changed nothing.
func TestStatusWithoutAVersion(t *testing.T) {
	c := newClient(t, seqr.Config{Endpoint: answering(t, http.StatusOK, answerTo("getPaymentStatus", "<resultCode>0</resultCode><status>ISSUED</status>")).URL})
	got, err := c.GetPaymentStatus(t.Context(), seqr.GetPaymentStatus{As: till(), InvoiceReference: "1", Version: 3})
	if err != nil || got.Version != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNewStatusIsGivenAsItIs(t *testing.T) {
	got, err := status(t, answerTo("getPaymentStatus", "<resultCode>0</resultCode><status>THAWED</status><version>2</version>"))
	if err != nil || got.Status != "THAWED" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestUnusableAnswers: the request was received, and nothing that came back can be relied on.
func TestUnusableAnswers(t *testing.T) {
	whole := answerTo("getPaymentStatus", "<resultCode>0</resultCode><status>PAID</status><version>2</version>")
	edit := func(old, new string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("%q is not in the answer", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	for name, body := range map[string]string{
		"empty":                      "",
		"not XML":                    "OK",
		"HTML":                       "<!DOCTYPE html><html><body>Bad gateway</body></html>",
		"JSON":                       `{"resultCode":0}`,
		"another operation":          answerTo("cancelInvoice", "<resultCode>0</resultCode>"),
		"the request itself":         strings.ReplaceAll(whole, "StatusResponse", "Status"),
		"another namespace":          edit("ers.seamless.com", "ers.example.com"),
		"another envelope":           edit("schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope"),
		"no body":                    `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"/>`,
		"empty body":                 `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body/></S:Envelope>`,
		"two bodies":                 edit("</S:Body>", "</S:Body><S:Body/>"),
		"no result code":             edit("<resultCode>0</resultCode>", ""),
		"nil result code":            edit("<resultCode>", `<resultCode xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="1">`),
		"empty result code":          edit("<resultCode>0", "<resultCode>"),
		"result code in words":       edit("<resultCode>0", "<resultCode>SUCCESS"),
		"result code with fraction":  edit("<resultCode>0", "<resultCode>0.0"),
		"huge result code":           edit("<resultCode>0", "<resultCode>4294967296"),
		"two result codes":           edit("<status>", "<resultCode>90</resultCode><status>"),
		"two returns":                edit("</return>", "</return><return><resultCode>0</resultCode></return>"),
		"result code one level down": edit("<resultCode>0</resultCode>", "<x><resultCode>0</resultCode></x>"),
		"result code beside return":  edit("<return><resultCode>0</resultCode>", "<resultCode>0</resultCode><return>"),
		"two statuses":               edit("<status>", "<status>ISSUED</status><status>"),
		"no status":                  edit("<status>PAID</status>", ""),
		"version in words":           edit("<version>2", "<version>two"),
		"cut off":                    whole[:len(whole)-20],
		"cut in a tag":               whole[:strings.Index(whole, "</status>")+4],
		"something after":            whole + "x",
		"a second document":          whole + whole[strings.Index(whole, "<S:"):],
		"crossed tags":               edit("</status><version>", "</version><version>"),
		"unknown entity":             edit("PAID", "PAID&nbsp;"),
		"bare ampersand":             edit("PAID", "P & D"),
		"NUL reference":              edit("<status>", "<x>&#0;</x><status>"),
		"signed reference":           edit("<status>", "<x>&#+65;</x><status>"),
		"surrogate reference":        edit("<status>", "<x>&#xD800;</x><status>"),
		"control character":          edit("<status>", "<x>\x01</x><status>"),
		"noncharacter":               edit("<status>", "<x>\uffff</x><status>"),
		"invalid UTF-8":              edit("<status>", "<x>\xff</x><status>"),
		"document type":              edit("<S:Envelope", "<!DOCTYPE a [<!ENTITY b 'c'>]><S:Envelope"),
		"document type inside":       edit("<status>", "<!DOCTYPE a><status>"),
		"undeclared prefix":          edit("<status>", "<y:x/><status>"),
		"undeclared attribute":       edit("<status>", "<x y:z='1'/><status>"),
		"attribute twice":            edit("<status>", "<x a='1' a='2'/><status>"),
		"attribute without value":    edit("<status>", "<x a/><status>"),
		"attribute without quotes":   edit("<status>", "<x a=1/><status>"),
		"attribute with <":           edit("<status>", "<x a='<'/><status>"),
		"attribute with a bare &":    edit("<status>", "<x a='&'/><status>"),
		"attributes without space":   edit("<status>", "<x a='1'b='2'/><status>"),
		"name with two colons":       edit("<status>", "<a:b:c/><status>"),
		"name with a digit first":    edit("<status>", "<1x/><status>"),
		"slash astray":               edit("<status>", "<x / ><status>"),
		"end tag with attribute":     edit("</status>", "</status a='1'>"),
		"declaration in the middle":  edit("<status>", "<?xml version='1.0'?><status>"),
		"declaration without end":    "<?xml version='1.0'",
		"instruction without end":    edit("<status>", "<?x <status>"),
		"instruction without name":   edit("<status>", "<? x?><status>"),
		"comment with --":            edit("<status>", "<!-- -- --><status>"),
		"comment without end":        edit("<status>", "<!-- <status>"),
		"CDATA without end":          edit("<status>", "<![CDATA[<status>"),
		"CDATA outside":              whole + "<![CDATA[ ]]>",
		"]]> in a text":              edit("PAID", "PAID]]>"),
		"too deep":                   edit("<status>", strings.Repeat("<a>", 70)+strings.Repeat("</a>", 70)+"<status>"),
	} {
		got, err := status(t, body)
		var e *seqr.Error
		if !errors.As(err, &e) || e.Sent != seqr.MaybeSent || e.Class() != seqr.Unknown || e.HTTPStatus != 200 || e.Err == nil {
			t.Errorf("%s: got %+v, %v", name, got, err)
			continue
		}
		if !cmp.Equal(got, seqr.PaymentStatus{}) {
			t.Errorf("%s: part of the answer was given: %+v", name, got)
		}
	}
}

// TestSuccessWithoutItsResult: a success that lacks what it is for is of unknown outcome.
func TestSuccessWithoutItsResult(t *testing.T) {
	for _, operation := range []string{"sendInvoice", "registerTerminal", "markTransactionPeriod", "executeReport"} {
		s := answering(t, http.StatusOK, answerTo(operation, "<resultCode>0</resultCode>"))
		if err := everyCall()[operation](t.Context(), newClient(t, seqr.Config{Endpoint: s.URL})); seqr.Classify(err) != seqr.Unknown {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

func TestRefundWithoutReferenceIsDone(t *testing.T) {
	s := answering(t, http.StatusOK, answerTo("refundPayment", "<resultCode>0</resultCode>"))
	c := newClient(t, seqr.Config{Endpoint: s.URL})
	if _, err := c.RefundPayment(t.Context(), seqr.RefundPayment{As: till(), ErsReference: ers, Invoice: seqr.Invoice{Total: sek("1")}}); err != nil {
		t.Error(err)
	}
}
