package sandbox

import (
	"bytes"
	_ "embed"
	"net/http"
	"strings"
	"sync"
	"text/template"
)

//go:embed service.wsdl.tmpl
var wsdlText string

// wsdl parses the template of the documents that describe the merchant interface when the first is asked for.
var wsdl = sync.OnceValue(func() *template.Template { return template.Must(template.New("wsdl").Parse(wsdlText)) })

// wsdlDocument says which document to write, and what stands in it.
type wsdlDocument struct {
	template   string // interface or service
	Operations []operation
	Service    string // name of the service; empty leaves binding and service out
	Port       string
	Prefix     string // of the namespace of the port type
	Location   string // address of the service, escaped
}

// interfaceName is the name of the port type, and the value of ?wsdl= that asks for the document that holds it.
const interfaceName = "ERSWSExternalClientService"

// wsdlOf gives the document that a query asks for, if any: ?wsdl is the service's, which imports the interface's from
// ?wsdl=ERSWSExternalClientService.wsdl, as at the provider; ?singleWsdl is both in one, for tools that follow no imports.
func wsdlOf(r *http.Request) (doc wsdlDocument, asked bool) {
	for key, values := range r.URL.Query() {
		switch {
		case strings.EqualFold(key, "singleWsdl"):
			return wsdlDocument{template: "interface", Service: interfaceName + "Service", Port: interfaceName + "Port", Prefix: "tns"}, true
		case strings.EqualFold(key, "wsdl") && strings.EqualFold(values[0], interfaceName+".wsdl"):
			return wsdlDocument{template: "interface"}, true
		case strings.EqualFold(key, "wsdl"):
			return wsdlDocument{template: "service", Service: interfaceName + "ImplService", Port: interfaceName + "ImplPort", Prefix: "ns1"}, true
		}
	}
	return wsdlDocument{}, false
}

// serveWSDL writes the document for a client that reaches the service under the address that it has used.
func serveWSDL(w http.ResponseWriter, r *http.Request, doc wsdlDocument) {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	doc.Operations, doc.Location = operations, template.HTMLEscapeString(scheme+r.Host+r.URL.Path)
	var body bytes.Buffer
	if err := wsdl().ExecuteTemplate(&body, doc.template, doc); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeXML(w, http.StatusOK, body.Bytes())
}
