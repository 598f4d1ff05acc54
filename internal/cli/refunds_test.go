package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// request does an HTTP request at the sandbox and gives the answer's JSON.
func request(t *testing.T, method, url, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: HTTP %d, %v", method, url, res.StatusCode, err)
	}
	return out
}

func TestRefundInDoubtIsListedAndResolved(t *testing.T) {
	t.Parallel()
	s, nats, sandbox := up(t, "--record-exchanges")
	at := []string{"--nats", nats}
	good(t, append([]string{"order", "place", "--shop", "acme", "--order", "1", "--currency", "SEK", "--row", "Mug;1;100.00;25"}, at...)...)
	sees(t, nats, "1", "issued")
	ref := strings.TrimSpace(good(t, append([]string{"show", "acme/1", "--reference"}, at...)...))
	request(t, http.MethodPost, sandbox+"/wallet/"+ref+"/pay", "")
	sees(t, nats, "1", "receipted")
	has(t, good(t, append([]string{"refunds", "list"}, at...)...), "no refund is in doubt")

	request(t, http.MethodPut, sandbox+"/faults", `{"refundPayment":[{"kind":"dropAfter","count":1}]}`)
	good(t, append([]string{"order", "return", "--shop", "acme", "--order", "1", "--refund", "r1", "--amount", "40.00"}, at...)...)
	sees(t, nats, "1", "refund_unknown")
	has(t, good(t, append([]string{"refunds", "list"}, at...)...), "acme/1", "r1", "40.00 SEK", "refunds resolve")
	has(t, good(t, append([]string{"refunds", "list", "--json"}, at...)...), `"refundId":"r1"`, `"status":"unknown"`)

	for _, wrong := range [][]string{
		{"refunds", "resolve", "acme/1", "r1", "--by", "Ann"},
		{"refunds", "resolve", "acme/1", "r1", "--happened", "--did-not-happen", "--by", "Ann"},
		{"refunds", "resolve", "acme/1", "r1", "--did-not-happen", "--ers-reference", "1", "--by", "Ann"},
	} {
		if code, _, stderr := run(t, "", append(wrong, at...)...); code != 2 {
			t.Errorf("%v: exit code %d: %s", wrong, code, stderr)
		}
	}
	if code, _, stderr := run(t, "", append([]string{"refunds", "resolve", "acme/1", "r9", "--happened", "--by", "Ann"}, at...)...); code != 1 || !strings.Contains(stderr, `acme/1: there is no refund "r9" of this invoice; see: seqrflow refunds list`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	ledger := request(t, http.MethodGet, sandbox+"/ledger", "")
	refund := ledger["refunds"].([]any)[0].(map[string]any)["ersReference"].(string)
	has(t, good(t, append([]string{"refunds", "resolve", "acme/1", "r1", "--happened", "--ers-reference", refund, "--by", "Ann", "--note", "case 7"}, at...)...),
		"refunded", "RECEIPTED", "60.00 left")
	has(t, good(t, append([]string{"show", "acme/1"}, at...)...), refund, "Ann found that it was paid back: case 7", "operator")
	has(t, good(t, append([]string{"refunds", "list"}, at...)...), "no refund is in doubt")
	wire := good(t, append([]string{"show", "acme/1", "--exchanges"}, at...)...)
	has(t, wire, "sendInvoice  answered 0", "refundPayment  maybe sent", "> ", "<password>***</password>")
	if strings.Contains(wire, "demo-secret") {
		t.Error("an exchange shows the password")
	}
	if code := s.end(); code != 0 {
		t.Errorf("up ended with %d: %s", code, s.stderr.String())
	}
}
