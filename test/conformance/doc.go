// Package conformance holds the sandbox and the client to the interface's own description.
//
// run.sh lets SOAP stacks that are not ours (PHP's SoapClient, Python's zeep and suds, Java's JAX-WS) run the certification
// procedures against the sandbox from its WSDL alone. The Go test validates every message that the client
// sends and the sandbox answers against the schema in that WSDL, with xmllint.
package conformance
