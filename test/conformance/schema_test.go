package conformance

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/pkg/seqr/seqrtest"
)

// TestMessagesKeepToTheSchema makes every call of the client, with as few and with as many fields as possible, and validates
// requests and answers against the WSDL's schema.
func TestMessagesKeepToTheSchema(t *testing.T) {
	v := newValidator(t)
	w := newWire(t)
	everyCall(t, w)

	sent, answered := map[string]int{}, map[string]int{}
	for _, m := range w.taken() {
		v.add(m.name()+"-request", m.request)
		v.add(m.name()+"-answer", m.answer)
		sent[m.operation]++
		if m.code == "0" {
			answered[m.operation]++
		}
	}
	operations := operationsOf(v.wsdl)
	if diff := cmp.Diff(slices.Sorted(slices.Values(seqr.Operations())), slices.Sorted(slices.Values(operations))); diff != "" {
		t.Errorf("operations of the client and of the WSDL: %s", diff)
	}
	for _, operation := range operations {
		if sent[operation] < 2 || answered[operation] < 1 {
			t.Errorf("%s: %d requests, %d of them done; want two and one at least", operation, sent[operation], answered[operation])
		}
	}
	for _, complaint := range v.complaints() {
		t.Error(complaint)
	}
	t.Logf("%d messages validated", len(v.files))
}

// TestTheSchemaRefuses checks that messages with one error each are refused, so the test above can fail.
func TestTheSchemaRefuses(t *testing.T) {
	const answer = `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` +
		`<n:getPaymentStatusResponse xmlns:n="http://external.interfaces.ers.seamless.com/"><return><resultCode>0</resultCode>` +
		`<resultDescription>SUCCESS</resultDescription><status>ISSUED</status><version>1</version></return></n:getPaymentStatusResponse></soap:Body></soap:Envelope>`
	for name, change := range map[string][2]string{
		"as it should be":        {"", ""},
		"another order":          {"<status>ISSUED</status><version>1</version>", "<version>1</version><status>ISSUED</status>"},
		"no resultCode":          {"<resultCode>0</resultCode>", ""},
		"an undeclared status":   {"ISSUED", "PARTIALLY_PAID"},
		"an unknown element":     {"<version>", "<extra/><version>"},
		"a qualified child":      {"<version>1</version>", "<n:version>1</n:version>"},
		"no number":              {"<version>1</version>", "<version/>"},
		"an unknown operation":   {"getPaymentStatusResponse", "getStatusResponse"},
		"two operations at once": {"</soap:Body>", "<n:benchmarkingNop xmlns:n=\"http://external.interfaces.ers.seamless.com/\"/></soap:Body>"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newValidator(t)
			v.add("message", []byte(strings.ReplaceAll(answer, change[0], change[1])))
			if refused := len(v.complaints()) > 0; refused != (change[0] != "") {
				t.Errorf("refused: %v", refused)
			}
		})
	}
}

// validator collects messages, and gives them to xmllint all at once.
type validator struct {
	t     *testing.T
	wsdl  string
	dir   string
	files []string
}

// envelopeSchema is as much of SOAP 1.1 as a message here has: one operation, or a fault, in one body.
const envelopeSchema = `<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
    targetNamespace="http://schemas.xmlsoap.org/soap/envelope/" elementFormDefault="qualified">
  <xs:import namespace="http://external.interfaces.ers.seamless.com/" schemaLocation="service.xsd"/>
  <xs:element name="Envelope"><xs:complexType><xs:sequence>
    <xs:element name="Header" minOccurs="0"/>
    <xs:element name="Body"><xs:complexType><xs:choice>
      <xs:any namespace="http://external.interfaces.ers.seamless.com/" processContents="strict"/>
      <xs:element ref="s:Fault"/>
    </xs:choice></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="Fault"><xs:complexType><xs:sequence>
    <xs:element name="faultcode" type="xs:QName" form="unqualified"/>
    <xs:element name="faultstring" type="xs:string" form="unqualified"/>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
`

// newValidator takes the schema out of the WSDL that a sandbox serves.
func newValidator(t *testing.T) *validator {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("xmllint is not installed: apt-get install libxml2-utils")
		}
		t.Skip("xmllint is not installed: apt-get install libxml2-utils")
	}
	v := &validator{t: t, dir: t.TempDir(), wsdl: fetch(t, seqrtest.Start(t).Endpoint+"?wsdl=ERSWSExternalClientService.wsdl")}
	schema := regexp.MustCompile(`(?s)<xs:schema.*</xs:schema>`).FindString(v.wsdl)
	v.write("service.xsd", schema)
	v.write("envelope.xsd", envelopeSchema)
	return v
}

func (v *validator) write(name, content string) string {
	v.t.Helper()
	path := filepath.Join(v.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		v.t.Fatal(err)
	}
	return path
}

func (v *validator) add(name string, message []byte) {
	v.t.Helper()
	v.files = append(v.files, v.write(fmt.Sprintf("%03d-%s.xml", len(v.files), name), string(message)))
}

// complaints gives the errors of xmllint, each with the message that it concerns.
func (v *validator) complaints() []string {
	v.t.Helper()
	args := append([]string{"--noout", "--nonet", "--schema", filepath.Join(v.dir, "envelope.xsd")}, v.files...)
	said, err := exec.CommandContext(v.t.Context(), "xmllint", args...).CombinedOutput()
	var list []string
	valid := 0
	for line := range strings.Lines(string(said)) {
		line = strings.TrimSpace(line)
		if strings.HasSuffix(line, " validates") {
			valid++
		} else {
			list = append(list, strings.TrimPrefix(line, v.dir+"/"))
		}
	}
	if len(list) == 0 && (err != nil || valid != len(v.files)) {
		v.t.Fatalf("xmllint found %d of %d messages valid: %v\n%s", valid, len(v.files), err, said)
	}
	return list
}

// operationsOf gives the merchant's operations in the WSDL. The others are consumer banking, which the client does not have.
func operationsOf(wsdl string) []string {
	consumerBanking := []string{
		"requestTopup", "requestTransfer", "requestPurchase", "requestPrincipalInformation", "changePrincipalPassword",
		"confirmCustomerRegistration",
	}
	var list []string
	for _, found := range regexp.MustCompile(`<wsdl:operation name="(\w+)">`).FindAllStringSubmatch(wsdl, -1) {
		if name := found[1]; !slices.Contains(list, name) && !slices.Contains(consumerBanking, name) {
			list = append(list, name)
		}
	}
	return list
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
