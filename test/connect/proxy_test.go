package connect

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/test/procs"
)

// TestTLSProxyPassesOnWhatIsPublic runs the example of docs/connect/Caddyfile, without TLS: what shops, buyers and the provider need gets
// through with the client's address, and nothing else does.
func TestTLSProxyPassesOnWhatIsPublic(t *testing.T) {
	caddy, err := exec.LookPath("caddy")
	if err != nil {
		t.Skip("caddy is not installed: apt-get install caddy")
	}
	body, err := os.ReadFile("../../docs/connect/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+" "+r.URL.Path+" for "+r.Header.Get("X-Forwarded-For"))
	}))
	defer gateway.Close()
	at := procs.Ports(t, 1)[0]
	config := "{\n\tadmin off\n}\n" + strings.NewReplacer("\npay.example.com {", "\nhttp://"+at+" {", "127.0.0.1:8787", gateway.Listener.Addr().String()).Replace(string(body))
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	procs.Start(t, "caddy", caddy, []string{"run", "--adapter", "caddyfile", "--config", file}, nil).Await("serving initial configuration")
	for path, public := range map[string]bool{
		"/hooks/acme/woocommerce": true, "/v1/openapi.json": true, "/pay/acme/701": true, "/notify/acme/701": true,
		"/": false, "/metrics": false, "/readyz": false, "/payments": false, "/hooks": false, "//metrics": false,
	} {
		resp, err := http.Get("http://" + at + path + "?key=1")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		want, status := at+" "+path+" for 127.0.0.1", http.StatusOK
		if !public {
			want, status = "", http.StatusNotFound
		}
		if err != nil || string(got) != want || resp.StatusCode != status {
			t.Errorf("%s: %s %q, expected %d %q", path, resp.Status, got, status, want)
		}
	}
}
