package sandbox

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"
)

// interfaceWSDL is the interface alone: schema, messages and port type.
//
//go:embed service.wsdl
var interfaceWSDL string

// interfaceName is the name of the port type, and the value of ?wsdl= that asks for the document that holds it.
const interfaceName = "ERSWSExternalClientService"

// asksForWSDL says which description a query asks for, if any: ?wsdl is the service's, which imports the interface's
// from ?wsdl=ERSWSExternalClientService.wsdl, as at the provider; ?singleWsdl is all in one.
func asksForWSDL(r *http.Request) (describe func(location string) string, asked bool) {
	for key, values := range r.URL.Query() {
		switch {
		case strings.EqualFold(key, "singleWsdl"):
			return singleWSDL, true
		case strings.EqualFold(key, "wsdl") && strings.EqualFold(values[0], interfaceName+".wsdl"):
			return func(string) string { return interfaceWSDL }, true
		case strings.EqualFold(key, "wsdl"):
			return serviceWSDL, true
		}
	}
	return nil, false
}

func serveWSDL(w http.ResponseWriter, r *http.Request, describe func(location string) string) {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = w.Write([]byte(describe(string(appendEscaped(nil, scheme+r.Host+r.URL.Path))))) // a reader that has gone needs no answer
}

// serviceWSDL is the document at ?wsdl: the binding and the service, in a namespace of their own.
func serviceWSDL(location string) string {
	const name = interfaceName + "ImplService"
	return `<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions name="` + name + `" targetNamespace="http://externalclientservice.cashregister.seamless.com/"
    xmlns:tns="http://externalclientservice.cashregister.seamless.com/" xmlns:ns1="` + nsSEQR + `"
    xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/">
  <wsdl:import location="` + location + `?wsdl=` + interfaceName + `.wsdl" namespace="` + nsSEQR + `"/>
` + bindingWSDL("ns1", name, interfaceName+"ImplPort", location) + `</wsdl:definitions>
`
}

// singleWSDL is the interface and a service in one document, for tools that follow no imports.
func singleWSDL(location string) string {
	binding := bindingWSDL("tns", interfaceName+"Service", interfaceName+"Port", location)
	return strings.Replace(interfaceWSDL, "</wsdl:definitions>", binding+"</wsdl:definitions>", 1)
}

// bindingWSDL is the SOAP binding of every operation, and the service at the location; prefix is the interface's.
func bindingWSDL(prefix, service, port, location string) string {
	var b strings.Builder
	binding := service + "SoapBinding"
	fmt.Fprintf(&b, `  <wsdl:binding name="%s" type="%s:%s">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
`, binding, prefix, interfaceName)
	for _, o := range operations {
		fmt.Fprintf(&b, `    <wsdl:operation name="%[1]s">
      <soap:operation soapAction="" style="document"/>
      <wsdl:input name="%[1]s"><soap:body use="literal"/></wsdl:input>
      <wsdl:output name="%[1]sResponse"><soap:body use="literal"/></wsdl:output>
    </wsdl:operation>
`, o.name)
	}
	fmt.Fprintf(&b, `  </wsdl:binding>
  <wsdl:service name="%s">
    <wsdl:port name="%s" binding="tns:%s">
      <soap:address location="%s"/>
    </wsdl:port>
  </wsdl:service>
`, service, port, binding, location)
	return b.String()
}
