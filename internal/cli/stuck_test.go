package cli_test

import (
	"net/http"
	"regexp"
	"testing"
	"time"
)

// shows runs show until its output matches.
func shows(t *testing.T, nats, invoice, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); ; {
		code, out, stderr := run(t, "", "show", invoice, "--nats", nats)
		if re.MatchString(out) {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("show never says %q: exit code %d\n%s%s", pattern, code, out, stderr)
		}
	}
}

// Show tells, from another process than the workers', whether an invoice waits for something or a worker fails in it.
func TestShowSaysWhyAnInvoiceIsStuck(t *testing.T) {
	t.Parallel()
	s, nats, wallet := up(t)
	request(t, http.MethodPut, wallet+"/faults", `{"sendInvoice":[{"kind":"http500"}]}`)
	good(t, "order", "place", "--nats", nats, "--shop", "demo", "--order", "1", "--currency", "SEK", "--row", "Coffee;1;10;25")
	shows(t, nats, "demo/1", `stuck +invoicer: [1-9][0-9]* attempts? since .*HTTP 500`)
	request(t, http.MethodPut, wallet+"/faults", `{}`)
	shows(t, nats, "demo/1", `ISSUED(?s:.*)waits +poller: the provider says ISSUED`)
	good(t, "order", "return", "--nats", nats, "--shop", "demo", "--order", "1", "--refund", "r1", "--amount", "5")
	shows(t, nats, "demo/1", `waits +refunder: the invoice is not paid yet`)
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.stderr.String())
	}
}

func TestShowSaysWhichWorkerDoesNotRun(t *testing.T) {
	t.Parallel()
	url, _ := longStreams(t)
	has(t, good(t, "show", "acme/last", "--nats", url), "stuck", "no receipter has ever run on this broker; run one: seqrflow run receipter")
	good(t, "order", "return", "--nats", url, "--shop", "acme", "--order", "last", "--refund", "r9", "--amount", "1")
	has(t, good(t, "show", "acme/last", "--nats", url), "no refunder has ever run on this broker; run one: seqrflow run refunder")
}

// Doctor reads what is at risk from the streams, and tries a write.
func TestDoctorTellsOfRefundsInDoubt(t *testing.T) {
	t.Parallel()
	url, _ := longStreams(t)
	code, out, _ := run(t, "", "doctor", "--nats", url, "--provider", "http://"+unusedAddress(t)+"/")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	has(t, out, "fail  1 refunds may or may not have been paid", "ok    the broker takes what is written", "no payment may have been reversed")
}
