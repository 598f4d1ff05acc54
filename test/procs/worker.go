package procs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Workers says how the worker processes of one test are started.
type Workers struct {
	T        testing.TB
	Programs Programs
	NATS     string
	Provider string   // the SOAP endpoint
	Shops    string   // the shops file
	Env      []string // further settings
}

// DemoShops writes a shops file with the sandbox's demo credentials, and gives its path.
func DemoShops(t testing.TB) string {
	t.Helper()
	return WriteFile(t, "shops.yaml", `shops: {"*": {terminal: demo-terminal, password: demo-secret,
  reseller: demo-reseller, reseller_user: "9900", reseller_password: demo-secret}}`)
}

// WriteFile writes a file into a fresh folder, and gives its path.
func WriteFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Worker is one "seqrflow run" process.
type Worker struct {
	*Process
	HTTP string // the URL of health and metrics
}

// Run starts a process with the given workers, and waits until it has written its health address.
func (c Workers) Run(workers ...string) *Worker {
	c.T.Helper()
	env := append([]string{
		"SEQRFLOW_NATS=" + c.NATS, "SEQRFLOW_PROVIDER=" + c.Provider, "SEQRFLOW_SHOPS_FILE=" + c.Shops,
		"SEQRFLOW_HTTP_LISTEN=127.0.0.1:0", "SEQRFLOW_GATEWAY_LISTEN=127.0.0.1:0",
	}, c.Env...)
	p := Start(c.T, strings.Join(workers, "+"), c.Programs.Seqrflow, append([]string{"run"}, workers...), env)
	w := &Worker{Process: p}
	w.HTTP = strings.TrimSuffix(p.Await("health "), "/readyz")
	return w
}

// Metrics reads the process's /metrics.
func (w *Worker) Metrics(ctx context.Context) (string, error) { return Get(ctx, w.HTTP+"/metrics") }

// Metric reads one value of /metrics, by its name and labels as they stand there. It is 0 when it is not there.
func (w *Worker) Metric(ctx context.Context, name string) (float64, error) {
	text, err := w.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	_, after, ok := strings.Cut("\n"+text, "\n"+name+" ")
	if !ok {
		return 0, nil
	}
	number, _, _ := strings.Cut(after, "\n")
	return strconv.ParseFloat(number, 64)
}

// Get reads a page as text. Any status but 200 is an error that has the text.
func Get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return string(body), fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return string(body), nil
}
