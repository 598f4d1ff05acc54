package sandbox

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// A disk that fails turns effects into "outcome unknown", and leaves alone what was durable before.
func TestDiskThatFails(t *testing.T) {
	s, err := New(Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	call := func(op, children string) string {
		t.Helper()
		out := httptest.NewRecorder()
		s.ServeHTTP(out, httptest.NewRequest("POST", Path, strings.NewReader(
			`<e:Envelope xmlns:e="`+nsSOAP+`"><e:Body><s:`+op+` xmlns:s="`+nsSEQR+`"><context><initiatorPrincipalId><id>demo-terminal</id>`+
				`<type>TERMINALID</type></initiatorPrincipalId><password>demo-secret</password></context>`+children+`</s:`+op+`></e:Body></e:Envelope>`)))
		return out.Body.String()
	}
	const invoice = `<invoice><acknowledgmentMode>NO_ACKNOWLEDGMENT</acknowledgmentMode><totalAmount><currency>SEK</currency><value>5</value></totalAmount></invoice>`
	if got := call("sendInvoice", invoice); !strings.Contains(got, "<resultCode>0<") {
		t.Fatal(got)
	}
	ref := s.Ledger().Invoices[0].InvoiceReference
	status := "<invoiceReference>" + ref + "</invoiceReference>"

	if err := s.journal.file.Close(); err != nil {
		t.Fatal(err)
	}
	if got := call("sendInvoice", invoice); !strings.Contains(got, "<resultCode>90<") || strings.Contains(got, "invoiceReference") {
		t.Errorf("an invoice that cannot be written: %s", got)
	}
	if got := call("getPaymentStatus", status); !strings.Contains(got, "<status>ISSUED<") {
		t.Errorf("an invoice that was written: %s", got)
	}
	if err := s.Pay(ref); err == nil {
		t.Error("a payment that cannot be written succeeded")
	}
	if got := call("getPaymentStatus", status); !strings.Contains(got, "<resultCode>90<") {
		t.Errorf("a payment that is not written was told: %s", got)
	}
	if err := s.Close(); err == nil {
		t.Error("Close says nothing of it")
	}
}
