package broker

import (
	"testing"
	"time"
)

// In its last year a certificate is made anew by the authority's old key, so that clients with the old authority go on.
func TestCertificatesAreRenewedInTheirLastYear(t *testing.T) {
	names := []string{"nats"}
	begin := time.Now()
	first, err := selfSigned(nil, names, begin)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		kept  bool
	}{{validity - renewAhead - time.Hour, true}, {validity - renewAhead + time.Hour, false}, {validity + time.Hour, false}} {
		now := begin.Add(c.after)
		next, err := selfSigned(first, names, now)
		if err != nil {
			t.Fatal(err)
		}
		if same := next[CAFile] == first[CAFile] && next[CertFile] == first[CertFile]; same != c.kept {
			t.Errorf("after %s: kept %v", c.after, same)
		}
		if next[caKeyFile] != first[caKeyFile] {
			t.Errorf("after %s the authority has another key", c.after)
		}
		if err := checkCertificate(next, names, now.Add(renewAhead)); err != nil {
			t.Errorf("after %s: %v", c.after, err)
		}
		if c.after < validity {
			next[CAFile] = first[CAFile]
			if err := checkCertificate(next, names, now); err != nil {
				t.Errorf("after %s a client with the old authority: %v", c.after, err)
			}
		}
	}
}
