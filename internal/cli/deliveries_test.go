package cli_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seqrflow/seqrflow/internal/rig"
)

// connectionsFile joins one webhook of the shop.
func connectionsFile(t *testing.T, shop, url string) string {
	t.Helper()
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "connections.yaml"), filepath.Join(dir, "secret")
	body := "connections: {" + shop + ": {webhooks: [{name: erp, url: '" + url + "', secret_files: '" + secret + "'}]}}"
	for name, body := range map[string]string{file: body, secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="} {
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func TestDeliveriesCommands(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	status.Store(http.StatusGone)
	erp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(erp.Close)
	file := connectionsFile(t, "acme", erp.URL)
	_, nats, _ := up(t, "--connections-file", file)
	at := []string{"--nats", nats}
	says := func(want string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if missing := rig.Until(ctx, func(context.Context) string {
			if out := good(t, append(args, at...)...); !strings.Contains(out, want) {
				return out
			}
			return ""
		}); missing != "" {
			t.Fatalf("%v does not say %q: %s", args, want, missing)
		}
	}
	has(t, good(t, append([]string{"deliveries", "list"}, at...)...), "erp", "no attempt that failed")
	for _, other := range [][]string{{"--shop", "acne"}, {"--destination", "epr"}} {
		has(t, good(t, append(append([]string{"deliveries", "list"}, other...), at...)...), "there is no such destination")
	}
	good(t, append([]string{"order", "place", "--shop", "acme", "--order", "1", "--currency", "SEK", "--row", "Mug;1;100.00;25"}, at...)...)
	says("refused", "deliveries", "show", "acme/1")
	has(t, good(t, append([]string{"deliveries", "list", "--shop", "acme"}, at...)...), "acme/1", "erp", "issued", "refused", "410")
	has(t, good(t, append([]string{"deliveries", "list", "--json"}, at...)...), `"status":"refused"`, `"code":410`)
	says("erp refused it", "parked", "list", "--open")

	status.Store(http.StatusOK)
	resend := []string{"deliveries", "resend", "acme/1", "--destination", "erp"}
	has(t, good(t, append(append(resend, "--dry-run"), at...)...), "would resend", "issued")
	has(t, good(t, append([]string{"parked", "list", "--open"}, at...)...), "erp refused it")
	has(t, good(t, append(resend, at...)...), "resent", "issued")
	says("delivered, resent", "deliveries", "show", "acme/1")
	has(t, good(t, append([]string{"parked", "list", "--open"}, at...)...), "nothing is parked")
	has(t, good(t, append(resend, at...)...), "nothing to resend")
	has(t, good(t, append(append(resend, "--event", "issued"), at...)...), "resent")

	code, _, stderr := run(t, "", append([]string{"deliveries", "resend", "acme/1", "--destination", "epr", "--event", "issued"}, at...)...)
	has(t, stderr, "the shop has no destination epr", "deliveries list")
	if code != 1 {
		t.Errorf("sent again to nobody: exit code %d", code)
	}

	other := connectionsFile(t, "beta", erp.URL)
	has(t, good(t, append([]string{"deliveries", "list", "--connections-file", other}, at...)...), "no such connection: its events are kept")
	_, out, _ := run(t, "", append([]string{"doctor", "--connections-file", other}, at...)...)
	has(t, out, "the consumer notifier=acme=erp has no connection", "the consumer notifier=beta=erp is not there")
	misspelt := filepath.Join(t.TempDir(), "connections.yaml")
	if err := os.WriteFile(misspelt, []byte("connections: {acme: {webhook: [], pages: {}}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ = run(t, "", append([]string{"doctor", "--connections-file", misspelt}, at...)...)
	has(t, out, "connections.acme.webhook: no such key", "; connections.acme.pages: no such key")
	if strings.Contains(out, "nats consumer rm") {
		t.Errorf("a file that can't be read, and doctor advises to remove the consumer of a connection:\n%s", out)
	}
	_, out, _ = run(t, "", append([]string{"doctor", "--connections-file", file}, at...)...)
	has(t, out, "1 destinations of shops' systems")
	for _, wrong := range [][]string{
		{"deliveries", "resend", "acme/1"}, {"deliveries", "resend", "acme/1", "--destination", "erp", "--event", "payed"}, {"deliveries", "show", "acme"},
	} {
		if code, _, stderr := run(t, "", append(wrong, at...)...); code != 2 {
			t.Errorf("%v: exit code %d: %s", wrong, code, stderr)
		}
	}
}
