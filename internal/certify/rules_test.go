package certify

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// exchange of an operation with these children, answered at a second of the test's time.
func exchange(t *testing.T, n int, operation, request, answer string) *recorded {
	t.Helper()
	envelope := func(inner string) []byte {
		return []byte(`<?xml version="1.0" encoding="ISO-8859-1"?><s:Envelope xmlns:s="x"><s:Body>` + inner + `</s:Body></s:Envelope>`)
	}
	transcript := newTranscript()
	code := seqr.Success
	transcript.Record(seqr.Exchange{Operation: operation, At: time.Unix(int64(n), 0), Duration: 100 * time.Millisecond, Code: &code, Sent: seqr.Answered,
		Request: envelope("<" + operation + ">" + request + "</" + operation + ">"), Response: envelope("<r><return>" + answer + "</return></r>")})
	x := transcript.calls[0]
	x.n = n
	return x
}

func wrong(verdicts []verdict) string {
	var out []string
	for _, v := range verdicts {
		if !v.ok {
			out = append(out, v.name+": "+v.detail)
		}
	}
	return strings.Join(out, "; ")
}

const goodContext = `<channel>WS</channel><clientId>Ö AB</clientId><clientReference>rig 1.0</clientReference><clientRequestTimeout>0</clientRequestTimeout>
<initiatorPrincipalId><id>t1</id><type>TERMINALID</type></initiatorPrincipalId>`

func TestContextRules(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"", "", ""},
		{"WS", "ClientWS", ""},
		{"WS", "WEB", "channel"},
		{"<channel>WS</channel>", "", "channel"},
		{"Ö AB", "", "clientId"},
		{"rig 1.0", " ", "clientReference"},
		{"rig 1.0", strings.Repeat("å", 32), ""},
		{"rig 1.0", strings.Repeat("å", 33), "clientReference"},
		{">0<", ">5000<", "clientRequestTimeout"},
		{"<clientRequestTimeout>0</clientRequestTimeout>", "", "clientRequestTimeout"},
		{"TERMINALID", "CUSTOMERID", "initiatorPrincipalId"},
		{"TERMINALID", "RESELLERUSER", "initiatorPrincipalId"},
		{"<id>t1</id><type>TERMINALID", "<id>r/9900</id><type>RESELLERUSER", ""},
		{"<id>t1</id>", "", "initiatorPrincipalId"},
	} {
		good := exchange(t, 1, "sendInvoice", "<context>"+goodContext+"</context>", "")
		x := exchange(t, 2, "sendInvoice", "<context>"+strings.Replace(goodContext, c.from, c.to, 1)+"</context>", "")
		got := wrong(contextRules([]*recorded{good, x}))
		if (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) || strings.Contains(got, ";") {
			t.Errorf("%q for %q: %q, expected %q", c.to, c.from, got, c.want)
		}
	}
	if got := wrong(contextRules(nil)); strings.Count(got, ";") != 4 {
		t.Errorf("no call at all: %q", got)
	}
}

func TestRowRules(t *testing.T) {
	line := func(quantity, total string) string {
		return "<invoiceRow><itemQuantity>" + quantity + "</itemQuantity><itemTotalAmount><value>" + total + "</value></itemTotalAmount></invoiceRow>"
	}
	for _, c := range []struct{ rows, total, mode, want string }{
		{line("1", "2"), "2.00", "NO_ACKNOWLEDGMENT", ""},
		{line("0.1", "0.1") + line("0.1", "0.2"), "0.3", "NO_ACKNOWLEDGMENT", ""},
		{line("1", "2") + line("1", "-1"), "1", "NO_ACKNOWLEDGMENT", ""},
		{line("1", "2"), "3", "NO_ACKNOWLEDGMENT", "the rows sum"},
		{line("", "2"), "2", "NO_ACKNOWLEDGMENT", "each row"},
		{line("1", "2") + line("two", "2"), "4", "NO_ACKNOWLEDGMENT", "each row"},
		{line("1", "2"), "2", "", "acknowledgmentMode"},
	} {
		x := exchange(t, 1, "sendInvoice", "<invoice><acknowledgmentMode>"+c.mode+"</acknowledgmentMode><invoiceRows>"+c.rows+
			"</invoiceRows><totalAmount><value>"+c.total+"</value></totalAmount></invoice>", "")
		if got := wrong(rowRules(x)); (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s to %s: %q, expected %q", c.rows, c.total, got, c.want)
		}
	}
	if got := wrong(rowRules(exchange(t, 1, "sendInvoice", "<invoice/>", ""))); !strings.Contains(got, "each row") {
		t.Errorf("no rows: %q", got)
	}
}

func TestVersionRule(t *testing.T) {
	for _, c := range []struct {
		sent, received string // one digit for each poll
		ok             bool
	}{
		{"0", "3", true}, {"033", "334", true}, {"000", "000", true}, {"0334", "3345", true},
		{"3", "3", false}, {"000", "333", false}, {"033", "343", false}, {"043", "334", false},
	} {
		var polls []*recorded
		for i := range c.sent {
			polls = append(polls, exchange(t, i+1, "getPaymentStatus",
				fmt.Sprintf("<invoiceVersion>%c</invoiceVersion>", c.sent[i]), fmt.Sprintf("<version>%c</version>", c.received[i])))
		}
		v := versionRule(polls)
		if v.ok != c.ok {
			t.Errorf("sent %s, received %s: %+v", c.sent, c.received, v)
		}
		nothing := strings.Trim(c.sent, "0") == "" && c.ok
		if strings.HasPrefix(v.detail, "could not be proved") != nothing {
			t.Errorf("sent %s, received %s: %q; proves nothing: %v", c.sent, c.received, v.detail, nothing)
		}
	}
	unanswered := exchange(t, 2, "getPaymentStatus", "<invoiceVersion>3</invoiceVersion>", "<version>9</version>")
	unanswered.Code = nil
	polls := []*recorded{exchange(t, 3, "getPaymentStatus", "<invoiceVersion>3</invoiceVersion>", ""), unanswered,
		exchange(t, 1, "getPaymentStatus", "<invoiceVersion>0</invoiceVersion>", "<version>3</version>")}
	if v := versionRule(polls); !v.ok {
		t.Errorf("a poll without an answer counts for nothing: %+v", v)
	}
}

// TestPauses counts the time before the first question too.
func TestPauses(t *testing.T) {
	for _, c := range []struct {
		asked []int // at these seconds; the mark is at 0
		least string
		ok    bool
	}{
		{[]int{3}, "at least 2.9 s", true},
		{[]int{3, 7, 12}, "at least 2.9 s", true},
		{[]int{0}, "at least -0.1 s", false},
		{[]int{0, 4}, "at least -0.1 s", false},
		{[]int{2}, "at least 1.9 s", false},
		{[]int{3, 4}, "at least 0.9 s", false},
	} {
		calls := []*recorded{exchange(t, 0, "markTransactionPeriod", "", "")}
		for _, n := range c.asked {
			calls = append(calls, exchange(t, n, "executeReport", "", ""))
		}
		if least, ok := pauses(calls); ok != c.ok || least != c.least {
			t.Errorf("asked at %v: %s, %v", c.asked, least, ok)
		}
	}
}

func TestDocumentRules(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		mime, data string
		ok         bool
	}{
		{"Base64", b64("anything"), true},
		{"text/html", b64("<!doctype html><html></html>"), true},
		{"text/html", b64("plain"), false},
		{"text/xml", b64("<receipt/>"), true},
		{"text/xml", b64("<receipt>"), false},
		{"text/plain", b64("plain"), false},
		{"", b64("plain"), false},
		{"Base64", "<![CDATA[not base64!]]>", false},
		{"text/html", "", true},
		{"Base64", " " + b64("spaces between") + "\n", true},
	} {
		x := exchange(t, 1, "submitPaymentReceipt", "<receiptDocument><mimeType>"+c.mime+"</mimeType><receiptData>"+c.data+"</receiptData></receiptDocument>", "")
		if got := wrong(documentRules(x)); (got == "") != c.ok {
			t.Errorf("%q %q: %q", c.mime, c.data, got)
		}
	}
}

func TestSkippedTimeCountsForWhatComesAfter(t *testing.T) {
	var line timeline
	before := time.Now()
	line.skipped(30 * time.Second)
	after := time.Now()
	if got := line.of(before).Sub(before); got != 0 {
		t.Errorf("before the skip: %s", got)
	}
	if got := line.of(after).Sub(after); got != 30*time.Second {
		t.Errorf("after the skip: %s", got)
	}
}

func TestPollingMoreOftenMakesTimeCountForMore(t *testing.T) {
	from := time.Now().Add(-time.Hour)
	for _, c := range []struct{ asks, took, want time.Duration }{
		{pollEvery, 19 * time.Second, 19 * time.Second},
		{pollEvery, 10 * time.Minute, 10 * time.Minute},
		{pollEvery / 2, 10 * time.Second, 20 * time.Second},
		{pollEvery / 4, time.Minute, 4 * time.Minute},
	} {
		e := &exam{run: &run{time: &timeline{}, interval: c.asks}}
		if got := e.pollingTime(from, from.Add(c.took)); got != c.want {
			t.Errorf("%s at a poll every %s: %s, expected %s", c.took, c.asks, got, c.want)
		}
	}
	e := &exam{run: &run{time: &timeline{}, interval: pollEvery}}
	e.time.skipped(reversal)
	if got := e.pollingTime(from, time.Now().Add(time.Second)); got < time.Hour+reversal {
		t.Errorf("with a skip: %s", got)
	}
}

func TestMessagesThatAreNoneFailQuietly(t *testing.T) {
	transcript := newTranscript()
	for _, text := range []string{"", "<html>busy</html>", "<s:Envelope/>", "<a><b></a>", "\x00"} {
		transcript.Record(seqr.Exchange{Operation: "getPaymentStatus", Request: []byte(text), Response: []byte(text)})
	}
	for _, x := range transcript.calls {
		if x.reference() != "" || x.response.word("status") != "" || wrong(contextRules([]*recorded{x})) == "" {
			t.Errorf("%+v", x)
		}
	}
}
