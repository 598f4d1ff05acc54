package seqr

import (
	"context"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

// statusRequest is a getPaymentStatus for encoding/xml.
type statusRequest struct {
	XMLName    xml.Name `xml:"soapenv:Envelope"`
	NSEnvelope string   `xml:"xmlns:soapenv,attr"`
	NSService  string   `xml:"xmlns:ext,attr"`
	Channel    string   `xml:"soapenv:Body>ext:getPaymentStatus>context>channel"`
	ClientID   string   `xml:"soapenv:Body>ext:getPaymentStatus>context>clientId,omitempty"`
	ClientRef  string   `xml:"soapenv:Body>ext:getPaymentStatus>context>clientReference,omitempty"`
	Timeout    int      `xml:"soapenv:Body>ext:getPaymentStatus>context>clientRequestTimeout"`
	ID         string   `xml:"soapenv:Body>ext:getPaymentStatus>context>initiatorPrincipalId>id"`
	Type       string   `xml:"soapenv:Body>ext:getPaymentStatus>context>initiatorPrincipalId>type"`
	Password   string   `xml:"soapenv:Body>ext:getPaymentStatus>context>password"`
	Reference  string   `xml:"soapenv:Body>ext:getPaymentStatus>invoiceReference"`
	Version    int      `xml:"soapenv:Body>ext:getPaymentStatus>invoiceVersion"`
}

// statusAnswer is the part of an answer to getPaymentStatus that every poll needs, for encoding/xml.
type statusAnswer struct {
	XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
	Body    struct {
		Fault    *struct{} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Fault"`
		Response struct {
			Return struct {
				ErsReference string `xml:"ersReference"`
				ResultCode   int    `xml:"resultCode"`
				Description  string `xml:"resultDescription"`
				Status       string `xml:"status"`
				Version      int    `xml:"version"`
			} `xml:"return"`
		} `xml:"http://external.interfaces.ers.seamless.com/ getPaymentStatusResponse"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

// pollCodecs are both ways to encode the request of a poll and to decode its answer.
func pollCodecs() map[string]func(request, answer []byte) ([]byte, PaymentStatus, error) {
	config := Config{ClientID: "Example AB", ClientReference: "till/1.0"}.withDefaults()
	as := Terminal("till-1", "password")
	poll := GetPaymentStatus{As: as, InvoiceReference: "1357902468013", Version: 1}
	return map[string]func([]byte, []byte) ([]byte, PaymentStatus, error){
		"soap": func(request, answer []byte) ([]byte, PaymentStatus, error) {
			var p PaymentStatus
			request = call{operation: opGetPaymentStatus, as: &as, write: poll.write}.encode(&config, request, false)
			_, err := soap.ReadAnswer(context.Background(), answer, opGetPaymentStatus, p.read)
			return request, p, err
		},
		"encoding-xml": func(_, answer []byte) ([]byte, PaymentStatus, error) {
			request, err := xml.Marshal(statusRequest{
				NSEnvelope: soap.EnvelopeNamespace, NSService: soap.ServiceNamespace,
				Channel: config.Channel, ClientID: config.ClientID, ClientRef: config.ClientReference,
				ID: as.ID, Type: string(as.Type), Password: as.Password.Reveal(), Reference: poll.InvoiceReference, Version: poll.Version,
			})
			if err != nil {
				return nil, PaymentStatus{}, err
			}
			var a statusAnswer
			err = xml.Unmarshal(answer, &a)
			r := a.Body.Response.Return
			return append([]byte(xml.Header[:len(xml.Header)-1]), request...), PaymentStatus{Status: InvoiceStatus(r.Status), Version: r.Version}, err
		},
	}
}

// TestPollCodecsAgree: what BenchmarkPoll compares does the same work.
func TestPollCodecsAgree(t *testing.T) {
	answer := answerFile(t, "status-issued.xml")
	var first string
	for name, poll := range pollCodecs() {
		request, p, err := poll(nil, answer)
		if err != nil || p.Status != StatusIssued || p.Version != 1 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if first == "" {
			first = string(request)
		} else if string(request) != first {
			t.Errorf("two requests:\n%s\n%s", first, request)
		}
	}
}

// BenchmarkPoll is the codec's part of a poll: a request is encoded, and an answer that says ISSUED is decoded.
func BenchmarkPoll(b *testing.B) {
	answer := answerFile(b, "status-issued.xml")
	for name, poll := range pollCodecs() {
		b.Run(name, func(b *testing.B) {
			var request []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if request, _, err = poll(request, answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestAnswersThatOnlyEncodingXMLBelieves: the other reason for a codec of our own.
func TestAnswersThatOnlyEncodingXMLBelieves(t *testing.T) {
	issued := string(answerFile(t, "status-issued.xml"))
	for name, edit := range map[string][2]string{
		"a second result code":  {"<status>", "<resultCode>90</resultCode><status>"},
		"an undeclared prefix":  {"<status>", "<nowhere:x/><status>"},
		"a document type":       {"<status>", "<!DOCTYPE a><status>"},
		"something at the end":  {"</S:Envelope>", "</S:Envelope><x>"},
		"a second root element": {"</S:Envelope>", "</S:Envelope><S:Envelope/>"},
	} {
		answer := strings.Replace(issued, edit[0], edit[1], 1)
		if answer == issued {
			t.Fatalf("%s: nothing was edited in %s", name, issued)
		}
		for codec, poll := range pollCodecs() {
			if _, _, err := poll(nil, []byte(answer)); (err == nil) != (codec == "encoding-xml") {
				t.Errorf("%s: %s gives the error %v", name, codec, err)
			}
		}
	}
}
