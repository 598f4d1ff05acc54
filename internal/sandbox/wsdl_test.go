package sandbox_test

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"
)

// description is what a test looks at in a WSDL document.
type description struct {
	Namespace string `xml:"targetNamespace,attr"`
	Imports   []struct {
		Location  string `xml:"location,attr"`
		Namespace string `xml:"namespace,attr"`
	} `xml:"import"`
	Types []struct {
		Name string `xml:"name,attr"`
	} `xml:"types>schema>complexType"`
	PortType struct {
		Name       string `xml:"name,attr"`
		Operations []struct {
			Name string `xml:"name,attr"`
		} `xml:"operation"`
	} `xml:"portType"`
	Bound []struct {
		Name string `xml:"name,attr"`
	} `xml:"binding>operation"`
	Service struct {
		Name string `xml:"name,attr"`
		Port struct {
			Name    string `xml:"name,attr"`
			Address struct {
				Location string `xml:"location,attr"`
			} `xml:"address"`
		} `xml:"port"`
	} `xml:"service"`
}

func (p *provider) describe(path string) (d description) {
	p.t.Helper()
	status, body := p.get(path)
	if status != 200 {
		p.t.Fatalf("%s: %d", path, status)
	}
	p.must(xml.Unmarshal([]byte(body), &d))
	return d
}

// TestWSDLIsLaidOutAsTheProviders: the service in one document and namespace, the interface in another.
func TestWSDLIsLaidOutAsTheProviders(t *testing.T) {
	p := serve(t, manual())
	for _, path := range []string{service + "?wsdl", service + "?WSDL", "/soap/merchant/cashregister-2?wsdl"} {
		d := p.describe(path)
		address, _, _ := strings.Cut(path, "?")
		if d.Namespace != "http://externalclientservice.cashregister.seamless.com/" || d.Service.Name != "ERSWSExternalClientServiceImplService" ||
			d.Service.Port.Name != "ERSWSExternalClientServiceImplPort" || d.Service.Port.Address.Location != p.url+address {
			t.Errorf("%s: service %+v in %s", path, d.Service, d.Namespace)
		}
		interfaceAt := address + "?wsdl=ERSWSExternalClientService.wsdl"
		if len(d.Imports) != 1 || d.Imports[0].Location != p.url+interfaceAt || d.Imports[0].Namespace != "http://external.interfaces.ers.seamless.com/" {
			t.Errorf("%s: imports %+v", path, d.Imports)
		}
		p.interfaceOf(p.describe(interfaceAt), len(d.Bound))
	}
	single := p.describe(service + "?singleWsdl")
	p.interfaceOf(single, len(single.Bound))
	if single.Service.Name != "ERSWSExternalClientServiceService" || single.Service.Port.Name != "ERSWSExternalClientServicePort" ||
		single.Service.Port.Address.Location != p.url+service {
		t.Errorf("in one document: %+v", single.Service)
	}
	if status, _ := p.get(service); status != 400 {
		t.Errorf("GET without ?wsdl: %d", status)
	}
	if status, _ := p.do("PUT", service, "", ""); status != 405 {
		t.Errorf("PUT: %d", status)
	}
}

func (p *provider) interfaceOf(d description, bound int) {
	p.t.Helper()
	if d.Namespace != "http://external.interfaces.ers.seamless.com/" || d.PortType.Name != "ERSWSExternalClientService" ||
		len(d.PortType.Operations) < 19 || bound != len(d.PortType.Operations) {
		p.t.Errorf("port type %+v in %s; %d operations bound", d.PortType, d.Namespace, bound)
	}
	for _, o := range d.PortType.Operations {
		p.call(o.Name, "") // every one is there
	}
	var names []string
	for _, named := range d.Types {
		names = append(names, named.Name)
	}
	for _, want := range []string{
		"clientContext", "principalId", "invoice", "paymentInvoiceRow", "amount", "customerToken", "receipt", "receiptDocument", "report",
		"parameterMap", "mapArray", "parameter", "erswsResponse", "erswsSendInvoiceResponse", "erswsPaymentStatusResponse",
		"erswsRegisterTerminalResponse", "erswsMarkTransactionPeriodResponse", "erswsExecuteReportResponse",
	} {
		if !slices.Contains(names, want) {
			p.t.Errorf("there is no type %s", want)
		}
	}
}
