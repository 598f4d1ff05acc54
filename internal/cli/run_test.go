package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seqrflow/seqrflow/internal/natsd"
)

// Workers that run apart from each other do together what "up" does in one process.
func TestWorkersRunAgainstAGivenBrokerAndProvider(t *testing.T) {
	t.Parallel()
	broker, err := natsd.Start(t.Context(), natsd.Config{Listen: "127.0.0.1:0", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	provider := start(t, "sandbox", "--listen", "127.0.0.1:0", "--log-level", "error")
	endpoint := provider.until(`^  SOAP endpoint +(\S+)$`)
	provider.until(`s:Envelope>'`)
	dir := t.TempDir()
	settings := filepath.Join(dir, "seqrflow.yaml")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "password"), "demo-secret\n")
	write(settings, "nats: "+broker.URL()+"\nprovider: "+endpoint+"\nrun: {http-listen: 127.0.0.1:0, log-level: error, gateway-listen: 127.0.0.1:0}\n"+
		"shops:\n  acme: {terminal: demo-terminal, password_file: "+filepath.Join(dir, "password")+"}\n")
	var workers []*started
	for _, names := range [][]string{{"invoicer", "gateway"}, {"poller"}, {"poller", "receipter"}} {
		w := start(t, append([]string{"--config", settings, "run"}, names...)...)
		w.until(`^  health `)
		workers = append(workers, w)
	}
	good(t, "--config", settings, "order", "place", "--shop", "acme", "--order", "1", "--currency", "SEK", "--row", "Kaffe;1;99.00")
	sees(t, broker.URL(), "1", "issued")
	good(t, "--config", settings, "order", "place", "--shop", "nobody", "--order", "2", "--currency", "SEK", "--row", "Kaffe;1;99.00")
	w := start(t, "--config", settings, "watch", "--parked", "--since", "all")
	w.until(`nobody/2 +parked +invoicer: shop: `)
	w.end()
	has(t, good(t, "--config", settings, "doctor"), "settings file "+settings, "ok    1 shops with credentials", "1 messages are parked")
	for _, w := range workers {
		ends(t, w)
	}
	if code := provider.end(); code != 0 {
		t.Errorf("the sandbox ends with exit code %d", code)
	}
}
