package sandbox_test

import (
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// TestStatusAlwaysHasAVersion: the schema requires one in every answer of getPaymentStatus, also where nothing
// is known, and strict stacks insist.
func TestStatusAlwaysHasAVersion(t *testing.T) {
	p := serve(t, manual())
	ref := p.issue(shop, "5")
	p.must(p.Pay(ref))
	for _, c := range []struct {
		name, children string
		fault          *sandbox.Fault
		version        string
	}{
		{"known", shop + named(ref), nil, "<version>1</version>"},
		{"unknown invoice", shop + named("4711"), nil, "<version>0</version>"},
		{"wrong password", strings.Replace(shop, "demo-secret", "wrong", 1) + named(ref), nil, "<version>0</version>"},
		{"busy", shop + named(ref), &sandbox.Fault{Kind: sandbox.FaultResultCode, Code: 93, Count: 1}, "<version>0</version>"},
		{"lost", shop + named(ref), &sandbox.Fault{Kind: sandbox.FaultResultCodeAfter, Code: 90, Count: 1}, "<version>0</version>"},
	} {
		if c.fault != nil {
			p.must(p.SetFaults(map[string][]sandbox.Fault{"getPaymentStatus": {*c.fault}}))
		}
		_, body, err := p.post(service, "text/xml; charset=utf-8", envelope("getPaymentStatus", c.children))
		p.must(err)
		if !strings.Contains(body, c.version) || strings.Count(body, "<version>") != 1 {
			t.Errorf("%s: %s; want one %s", c.name, body, c.version)
		}
	}
}

// TestVersionsBeginWhereTheSettingSays: FirstVersion is the version of a new invoice, and changes count on from it.
func TestVersionsBeginWhereTheSettingSays(t *testing.T) {
	cfg := manual()
	cfg.FirstVersion = 3
	p := serve(t, cfg)
	ref := p.issue(shop, "5")
	if a := p.status(shop, ref); a.Version != 3 {
		t.Errorf("a new invoice has version %d, want 3", a.Version)
	}
	p.must(p.Pay(ref))
	if a := p.status(shop, ref); a.Version != 4 {
		t.Errorf("a paid invoice has version %d, want 4", a.Version)
	}
	cfg.FirstVersion = -1
	_, err := sandbox.New(cfg)
	p.refused(err, "FirstVersion")
}
