// Package conformance checks the sandbox and the client against the description of the interface.
//
// run.sh makes foreign SOAP stacks (PHP's SoapClient, Python's zeep and suds, Java's JAX-WS) run the certification
// procedures against the sandbox from its WSDL alone. The Go test validates every message that the client
// sends and the sandbox answers against the schema in that WSDL, with xmllint.
package conformance
