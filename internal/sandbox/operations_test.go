package sandbox_test

import (
	"slices"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// TestEveryOperationOfTheClientHasARow: the sandbox performs every operation that the client calls, and describes it in
// the WSDL. A row that is missing in operations.go fails here.
func TestEveryOperationOfTheClientHasARow(t *testing.T) {
	p := serve(t, manual())
	var described []string
	for _, o := range p.describe(service + "?singleWsdl").PortType.Operations {
		described = append(described, o.Name)
	}
	for _, name := range seqr.Operations() {
		if !slices.Contains(described, name) {
			t.Errorf("%s is not in the WSDL", name)
		}
		status, body, err := p.post(service, "text/xml; charset=utf-8", envelope(name, ""))
		p.must(err)
		if status != 200 {
			t.Errorf("%s: the sandbox answers %d %s", name, status, body)
		}
	}
}
