package sandbox_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

const (
	soapNS = "http://schemas.xmlsoap.org/soap/envelope/"
	seqrNS = "http://external.interfaces.ers.seamless.com/"
)

func utf16Octets(text string, bigEndian, mark bool) string {
	var b strings.Builder
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xFEFF}, units...)
	}
	for _, u := range units {
		if bigEndian {
			b.WriteByte(byte(u >> 8))
			b.WriteByte(byte(u))
		} else {
			b.WriteByte(byte(u))
			b.WriteByte(byte(u >> 8))
		}
	}
	return b.String()
}

func latin1(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteByte(byte(r))
	}
	return b.String()
}

// names declares n namespaces.
func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` xmlns:n%d="urn:n"`, i)
	}
	return b.String()
}

// Each message is one that some stack writes; all of them send an invoice titled "Blåbär" over 10 SEK.
func TestMessagesOfAllKinds(t *testing.T) {
	p := serve(t, manual())
	titled := strings.Replace(invoiceOf("10.00"), "<title>Order", "<title>Blåbär", 1)
	plain := envelope("sendInvoice", shop+titled)
	utf8 := "text/xml; charset=utf-8"
	for _, c := range []struct{ name, contentType, body string }{
		{"plain", utf8, plain},
		{"no content type", "", plain},
		{"byte order mark", utf8, "\uFEFF" + plain},
		{"no declaration", utf8, strings.TrimPrefix(plain, `<?xml version="1.0" encoding="UTF-8"?>`)},
		{"UTF-16 LE with a mark", "text/xml", utf16Octets(strings.Replace(plain, "UTF-8", "UTF-16", 1), false, true)},
		{"UTF-16 BE with a mark", "text/xml; charset=utf-16", utf16Octets(strings.Replace(plain, "UTF-8", "UTF-16", 1), true, true)},
		{"UTF-16 LE without a mark", "text/xml; charset=utf-16le", utf16Octets(strings.Replace(plain, "UTF-8", "UTF-16LE", 1), false, false)},
		{"UTF-16 BE without a mark", "text/xml", utf16Octets(strings.Replace(plain, "UTF-8", "UTF-16BE", 1), true, false)},
		{"ISO-8859-1 by declaration", "text/xml", latin1(strings.Replace(plain, "UTF-8", "ISO-8859-1", 1))},
		{"ISO-8859-1 by content type", "text/xml; charset=ISO-8859-1", latin1(strings.Replace(plain, ` encoding="UTF-8"`, "", 1))},
		{"Windows-1252 by content type", "text/xml; charset=windows-1252", latin1(plain)},
		{"content type against declaration", "text/xml; charset=ISO-8859-1", latin1(plain)},
		{"UTF-8 under the name of UTF-16", "text/xml", strings.Replace(plain, "UTF-8", "utf-16", 1)},
		{"UTF-8 under the name of UTF-16 by content type", "text/xml; charset=utf-16", plain},
		{"single quotes", utf8, strings.Replace(plain, `version="1.0" encoding="UTF-8"`, `version='1.0' encoding='utf-8'`, 1)},
		{"default namespace on the operation", utf8, `<Envelope xmlns="` + soapNS + `"><Body><sendInvoice xmlns="` + seqrNS + `">` + shop + titled + `</sendInvoice></Body></Envelope>`},
		{"default namespace on the envelope", utf8, `<Envelope xmlns="` + soapNS + `"><Body><x:sendInvoice xmlns:x="` + seqrNS + `">` + shop + titled + `</x:sendInvoice></Body></Envelope>`},
		{"prefix declared twice", utf8, `<a:Envelope xmlns:a="` + soapNS + `"><a:Body><a:sendInvoice xmlns:a="` + seqrNS + `">` + shop + titled + `</a:sendInvoice></a:Body></a:Envelope>`},
		{"qualified children", utf8, `<s:Envelope xmlns:s="` + soapNS + `" xmlns:x="` + seqrNS + `"><s:Body><x:sendInvoice>` +
			strings.NewReplacer("</", "</x:", "<", "<x:").Replace(shop+titled) + `</x:sendInvoice></s:Body></s:Envelope>`},
		{"children in another order", utf8, envelope("sendInvoice", titled+shop)},
		{"CDATA", utf8, strings.NewReplacer("Blåbär", "<![CDATA[Blå]]>b<![CDATA[är]]>", "demo-terminal", "<![CDATA[demo-terminal]]>").Replace(plain)},
		{"entities", utf8, strings.NewReplacer("Blåbär", "Bl&#229;b&#xE4;r", "demo-secret", "demo&#45;secret").Replace(plain)},
		{"comments", utf8, strings.NewReplacer("Blåbär", "Blå<!-- - -->bär", "<invoice>", "<!-- a --><invoice><!-- b -->").Replace(plain)},
		{"processing instruction", utf8, strings.Replace(plain, "<invoice>", "<?php echo 1 ?><invoice>", 1)},
		{"unknown elements", utf8, strings.Replace(plain, "<invoice>", `<zip><invoice/></zip><invoice><f:title xmlns:f="urn:foreign">not this</f:title><colour>red</colour>`, 1)},
		{"nil", utf8, strings.Replace(plain, "<invoice>", `<invoice xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><notificationUrl xsi:nil="true">x</notificationUrl><footer xsi:nil="1"/>`, 1)},
		{"xsi:type", utf8, strings.Replace(plain, "<invoice>", `<invoice xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="ext:invoice">`, 1)},
		{"white space everywhere", utf8, strings.NewReplacer("<title>", "\n\t<title>", "<id>demo-terminal<", "<id>\n demo-terminal <").Replace(plain) + "\n"},
		{"header that need not be understood", utf8, strings.Replace(plain, "<soapenv:Header/>", `<soapenv:Header><h:a xmlns:h="urn:h" soapenv:mustUnderstand="0"/></soapenv:Header>`, 1)},
		{"many names one after another", utf8, strings.Replace(plain, "<invoice>", "<invoice>"+strings.Repeat("<zip"+names(100)+"/>", 10), 1)},
		{"no header", utf8, strings.Replace(plain, "<soapenv:Header/>", "", 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{service, "/soap/merchant/cashregister-2"} {
				status, body, err := p.post(path, c.contentType, c.body)
				if err != nil {
					t.Fatal(err)
				}
				a := p.result("sendInvoice", status, body)
				if a.Code != 0 {
					t.Fatalf("%d %s", a.Code, a.Text)
				}
				if _, page := p.get("/wallet/" + a.InvoiceReference); !strings.Contains(page, `"title":"Blåbär"`) || !strings.Contains(page, `"10.00"`) {
					t.Errorf("it was understood as %s", page)
				}
			}
		})
	}
}

func TestMessagesThatAreFaults(t *testing.T) {
	p := serve(t, manual())
	plain := envelope("sendInvoice", shop+invoiceOf("10.00"))
	deep := strings.Repeat("<a>", 70) + strings.Repeat("</a>", 70)
	for _, c := range []struct{ name, contentType, body, code, part string }{
		{"empty", "", "", "soap:Client", "empty"},
		{"not XML", "", "hello", "soap:Client", "malformed"},
		{"JSON", "", `{"a":1}`, "soap:Client", "malformed"},
		{"cut off", "", plain[:len(plain)-30], "soap:Client", "malformed"},
		{"wrong end tag", "", strings.Replace(plain, "</invoice>", "</envoice>", 1), "soap:Client", "malformed"},
		{"two documents", "", plain + "<a/>", "soap:Client", "malformed"},
		{"text behind", "", plain + "and more", "soap:Client", "malformed"},
		{"undeclared prefix", "", strings.Replace(plain, "<invoice>", "<q:x/><invoice>", 1), "soap:Client", "q"},
		{"unknown entity", "", strings.Replace(plain, "Order", "&ouml;", 1), "soap:Client", "malformed"},
		{"DTD", "", strings.Replace(plain, "?>", `?><!DOCTYPE x [<!ENTITY a "b">]>`, 1), "soap:Client", "document type"},
		{"external DTD", "", strings.Replace(plain, "?>", `?><!DOCTYPE x SYSTEM "file:///etc/passwd">`, 1), "soap:Client", "document type"},
		{"too deep", "", envelope("sendInvoice", deep), "soap:Client", "64"},
		{"too many names", "", strings.Replace(plain, "<invoice>", "<invoice "+names(300)+">", 1), "soap:Client", "256"},
		{"too many names in one another", "", envelope("sendInvoice", "<a "+names(100)+"><b "+names(100)+"><c "+names(100)+"/></b></a>"), "soap:Client", "256"},
		{"too large", "", envelope("sendInvoice", shop+"<x>"+strings.Repeat("a", 9<<20)+"</x>"), "soap:Client", "1048576"},
		{"bad UTF-8", "text/xml; charset=utf-8", strings.Replace(plain, "Order", "\xff\xfe\xfd", 1), "soap:Client", "UTF-8"},
		{"half a UTF-16 character", "", "\xff\xfe<\x00a", "soap:Client", "UTF-16"},
		{"strange charset", "text/xml; charset=klingon", plain, "soap:Client", "klingon"},
		{"strange charset by declaration", "text/xml", strings.Replace(plain, "UTF-8", "klingon", 1), "soap:Client", "klingon"},
		{"no envelope", "", "<sendInvoice/>", "soap:VersionMismatch", "Envelope"},
		{"SOAP 1.2", "", strings.Replace(plain, soapNS, "http://www.w3.org/2003/05/soap-envelope", 1), "soap:VersionMismatch", "1.1"},
		{"no body", "", `<e:Envelope xmlns:e="` + soapNS + `"/>`, "soap:Client", "Body"},
		{"empty body", "", `<e:Envelope xmlns:e="` + soapNS + `"><e:Body/></e:Envelope>`, "soap:Client", "empty"},
		{"wrong namespace", "", strings.Replace(plain, seqrNS, "urn:other", 1), "soap:Client", "urn:other"},
		{"no namespace", "", strings.NewReplacer("<ext:", "<", "</ext:", "</").Replace(plain), "soap:Client", "namespace"},
		{"unknown operation", "", envelope("sendMoney", shop), "soap:Client", "sendMoney"},
		{"response", "", envelope("sendInvoiceResponse", ""), "soap:Client", "sendInvoiceResponse"},
		{"header that must be understood", "", strings.Replace(plain, "<soapenv:Header/>", `<soapenv:Header><a soapenv:mustUnderstand="1"/></soapenv:Header>`, 1), "soap:MustUnderstand", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, body, err := p.post(service, c.contentType, c.body)
			if err != nil {
				t.Fatal(err)
			}
			var r response
			if err := xml.Unmarshal([]byte(body), &r); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			f := r.Body.Operation
			if status != 500 || f.XMLName.Local != "Fault" || f.XMLName.Space != soapNS || f.Code != c.code || !strings.Contains(f.Fault, c.part) {
				t.Errorf("%d %s, want a fault %s with %q", status, body, c.code, c.part)
			}
			if strings.Contains(body, "secret") {
				t.Error("the fault repeats a password")
			}
		})
	}
	if n := len(p.Ledger().Invoices); n != 0 {
		t.Errorf("%d invoices", n)
	}
}

// A text in many pieces takes memory in proportion to its length, not to the square of it.
func TestTextInPiecesTakesLinearMemory(t *testing.T) {
	s, err := sandbox.New(manual())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	message := envelope("sendInvoice", shop+strings.Replace(invoiceOf("10.00"), "Order", strings.Repeat("x<!---->", 100_000), 1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out := httptest.NewRecorder()
	s.ServeHTTP(out, httptest.NewRequest("POST", service, strings.NewReader(message)))
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; out.Code != 200 || took > 100<<20 {
		t.Errorf("answered %d, with %d MiB of memory for a message of %d KiB", out.Code, took>>20, len(message)>>10)
	}
}

func TestAnswersAreWrittenInTheSchemasOrder(t *testing.T) {
	p := serve(t, manual())
	strange := strings.NewReplacer("Thing", "&lt;&amp;&gt;&quot;å&#13;", "</title>", "</title><cashierId>c</cashierId>").Replace(invoiceOf("5"))
	ref := p.want(0, "sendInvoice", shop+strange).InvoiceReference
	p.must(p.Pay(ref))
	resp, err := http.Post(p.url+service, "text/xml", strings.NewReader(envelope("getPaymentStatus", shop+named(ref)+"<invoiceVersion>0</invoiceVersion>")))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/xml; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	var order []string
	for d := xml.NewDecoder(resp.Body); ; {
		token, err := d.Token()
		if err != nil {
			break
		}
		if e, ok := token.(xml.StartElement); ok {
			order = append(order, e.Name.Local)
		}
		if text, ok := token.(xml.CharData); ok && strings.Contains(string(text), "&") && string(text) != "<&>\"å\r" {
			t.Errorf("description came back as %q", text)
		}
	}
	want := "Envelope Body getPaymentStatusResponse return ersReference resultCode resultDescription status " +
		"receipt terminalId paymentDate clientInvoiceId invoiceReference paymentReference payerTerminalId receiverName " +
		"invoice paymentMode acknowledgmentMode issueDate title clientInvoiceId " +
		"invoiceRows invoiceRow itemDescription itemQuantity itemTotalAmount currency value totalAmount currency value cashierId customerTokens version"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("elements\n%s\nwant\n%s", got, want)
	}
}
