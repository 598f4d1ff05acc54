package sandbox_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	service  = "/extclientproxy/service/v2"
	shop     = `<context><clientRequestTimeout>0</clientRequestTimeout><initiatorPrincipalId><id>demo-terminal</id><type>TERMINALID</type></initiatorPrincipalId><password>demo-secret</password></context>`
	other    = `<context><clientRequestTimeout>0</clientRequestTimeout><initiatorPrincipalId><id>other-terminal</id><type>TERMINALID</type></initiatorPrincipalId><password>other-secret</password></context>`
	till     = `<context><clientRequestTimeout>0</clientRequestTimeout><initiatorPrincipalId><id>till</id><type>TERMINALID</type></initiatorPrincipalId><password>till-secret</password></context>`
	reseller = `<context><clientRequestTimeout>0</clientRequestTimeout><initiatorPrincipalId><id>demo-reseller</id><type>RESELLERUSER</type><userId>9900</userId></initiatorPrincipalId><password>demo-secret</password></context>`
)

// provider is a sandbox behind real HTTP.
type provider struct {
	*sandbox.Sandbox
	t   *testing.T
	url string
}

func manual() sandbox.Config {
	return sandbox.Config{
		ManualClock: true, Start: start,
		Terminals: append(sandbox.DemoTerminals(),
			sandbox.Terminal{ID: "other-terminal", Password: "other-secret", Name: "Other shop", Reseller: "demo-reseller"},
			sandbox.Terminal{ID: "till", Password: "till-secret", Name: "Till 1", Reseller: "demo-reseller", CashRegister: true},
			sandbox.Terminal{ID: "short", Password: "abc", Name: "Short", Reseller: "demo-reseller"},
			sandbox.Terminal{ID: "short and foreign", Password: "åäö", Name: "Short", Reseller: "demo-reseller"},
			sandbox.Terminal{ID: "foreign", Password: "foreign-secret", Name: "Foreign", Reseller: "another-reseller"},
		),
		Resellers: append(sandbox.DemoResellers(),
			sandbox.Reseller{ID: "another-reseller", UserID: "1", Password: "another-secret"}),
	}
}

func serve(t *testing.T, cfg sandbox.Config) *provider {
	t.Helper()
	s, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return &provider{Sandbox: s, t: t, url: srv.URL}
}

// answer is what a test looks at in a response.
type answer struct {
	ErsReference        string `xml:"ersReference"`
	Code                int    `xml:"resultCode"`
	Text                string `xml:"resultDescription"`
	QRCode              string `xml:"invoiceQRCode"`
	InvoiceReference    string `xml:"invoiceReference"`
	Status              string `xml:"status"`
	Version             int    `xml:"version"`
	TerminalID          string `xml:"terminalId"`
	TransactionPeriodID string `xml:"transactionPeriodId"`
	Receipt             *struct {
		TerminalID       string `xml:"terminalId"`
		PaymentDate      string `xml:"paymentDate"`
		InvoiceReference string `xml:"invoiceReference"`
		PaymentReference string `xml:"paymentReference"`
		ReceiverName     string `xml:"receiverName"`
		Total            string `xml:"invoice>totalAmount>value"`
		Currency         string `xml:"invoice>totalAmount>currency"`
	} `xml:"receipt"`
	Tokens []struct {
		ID     string `xml:"id"`
		Status int    `xml:"status"`
	} `xml:"customerTokens>token"`
	Report struct {
		Title         string `xml:"title"`
		MimeType      string `xml:"mimeType"`
		Content       string `xml:"content"`
		ContentString string `xml:"contentString"`
	} `xml:"report"`
}

type response struct {
	Body struct {
		Operation struct {
			XMLName xml.Name
			Return  *answer `xml:"return"`
			Fault   string  `xml:"faultstring"`
			Code    string  `xml:"faultcode"`
		} `xml:",any"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

func envelope(op, children string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ext="http://external.interfaces.ers.seamless.com/"><soapenv:Header/><soapenv:Body><ext:` +
		op + `>` + children + `</ext:` + op + `></soapenv:Body></soapenv:Envelope>`
}

// post sends octets, and gives the status and the body; err is the connection's.
func (p *provider) post(path, contentType, body string) (int, string, error) {
	p.t.Helper()
	resp, err := http.Post(p.url+path, contentType, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// call performs an operation that is answered with a result.
func (p *provider) call(op, children string) answer {
	p.t.Helper()
	status, body, err := p.post(service, "text/xml; charset=utf-8", envelope(op, children))
	if err != nil {
		p.t.Fatalf("%s: %v", op, err)
	}
	return p.result(op, status, body)
}

func (p *provider) result(op string, status int, body string) answer {
	p.t.Helper()
	var r response
	if err := xml.Unmarshal([]byte(body), &r); err != nil {
		p.t.Fatalf("%s: %v in %s", op, err, body)
	}
	if status != 200 || r.Body.Operation.XMLName.Local != op+"Response" || r.Body.Operation.Return == nil ||
		r.Body.Operation.XMLName.Space != "http://external.interfaces.ers.seamless.com/" {
		p.t.Fatalf("%s answered %d %s", op, status, body)
	}
	return *r.Body.Operation.Return
}

// want is call with the result code it must have.
func (p *provider) want(code int, op, children string) answer {
	p.t.Helper()
	a := p.call(op, children)
	if a.Code != code {
		p.t.Fatalf("%s answered %d %s, want %d", op, a.Code, a.Text, code)
	}
	return a
}

func invoiceOf(total string) string {
	return `<invoice><paymentMode>IMMEDIATE_DEBIT</paymentMode><acknowledgmentMode>NO_ACKNOWLEDGMENT</acknowledgmentMode><title>Order</title><clientInvoiceId>A-1</clientInvoiceId><invoiceRows><invoiceRow><itemDescription>Thing</itemDescription><itemQuantity>1</itemQuantity><itemTotalAmount><currency>SEK</currency><value>` + total +
		`</value></itemTotalAmount></invoiceRow></invoiceRows><totalAmount><currency>SEK</currency><value>` + total + `</value></totalAmount></invoice>`
}

func (p *provider) issue(context, total string) string {
	p.t.Helper()
	return p.want(0, "sendInvoice", context+invoiceOf(total)).InvoiceReference
}

func (p *provider) status(context, ref string) answer {
	p.t.Helper()
	return p.want(0, "getPaymentStatus", context+named(ref)+`<invoiceVersion>0</invoiceVersion>`)
}

func named(ref string) string { return `<invoiceReference>` + ref + `</invoiceReference>` }

func payment(ers string) string { return `<ersReference>` + ers + `</ersReference>` }

func params(pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<parameters><parameter>`)
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, `<entry><key>%s</key><value>%s</value></entry>`, pairs[i], pairs[i+1])
	}
	b.WriteString(`</parameter></parameters>`)
	return b.String()
}

// paid is an invoice that is paid and fetched, and its ersReference.
func (p *provider) paid(context, total string) (ref, ers string) {
	p.t.Helper()
	ref = p.issue(context, total)
	p.must(p.Pay(ref))
	a := p.status(context, ref)
	if a.Status != "PAID" || a.ErsReference == "" {
		p.t.Fatalf("after paying the status is %s, ersReference %q", a.Status, a.ErsReference)
	}
	return ref, a.ErsReference
}

func (p *provider) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *provider) refused(err error, part string) {
	p.t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		p.t.Fatalf("got error %v, want one that says %q", err, part)
	}
}

// invoice gives an invoice of the ledger.
func (p *provider) invoice(ref string) sandbox.Invoice {
	p.t.Helper()
	for _, inv := range p.Ledger().Invoices {
		if inv.InvoiceReference == ref {
			return inv
		}
	}
	p.t.Fatalf("the ledger has no invoice %s", ref)
	return sandbox.Invoice{}
}
