package sandbox

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// FuzzRequest: whatever is posted, the answer is one well-formed document, and a business answer or a
// fault, as HTTP status 200 or 500.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:e="http://external.interfaces.ers.seamless.com/"><soapenv:Body><e:getPaymentStatus><context><clientRequestTimeout>0</clientRequestTimeout><initiatorPrincipalId><id>demo-terminal</id><type>TERMINALID</type></initiatorPrincipalId><password>demo-secret</password></context><invoiceReference>1</invoiceReference><invoiceVersion>0</invoiceVersion></e:getPaymentStatus></soapenv:Body></soapenv:Envelope>`))
	f.Add([]byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body><sendInvoice xmlns=\"http://external.interfaces.ers.seamless.com/\"><invoice xmlns=\"\"><title>\xe5</title></invoice></sendInvoice></Body></Envelope>"))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`))
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"))
	for _, body := range []string{
		"", " ", "0", "\r0", "\n\r\n\n", "\xe1\x9b0", "<![", "<<", "<\n", "<_<", "<? ", "& ", "&;", "&ÝÝ ", "<Ġ Ġ ", "<A0 A=\"<", "<A A=\">&0", "<\x00A0/\x00", "\x00<000000",
	} {
		f.Add([]byte(body))
	}
	s, err := New(Config{ManualClock: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/extclientproxy/service/v2", bytes.NewReader(body))
		r.Header.Set("Content-Type", "text/xml; charset=utf-8")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusInternalServerError {
			t.Fatalf("HTTP %d", w.Code)
		}
		d := xml.NewDecoder(w.Body)
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
}
