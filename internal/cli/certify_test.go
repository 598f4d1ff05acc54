package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/cli"
	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// reader is a person who reads the terminal and pays what they are asked to pay.
type reader struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen int
	pay  func(reference string)
}

var askedToPay = regexp.MustCompile(`Scan this code .* invoiceReference (\d+)\n`)

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(p)
	for _, m := range askedToPay.FindAllSubmatchIndex(r.text.Bytes()[r.seen:], -1) {
		r.pay(string(r.text.Bytes()[r.seen+m[2] : r.seen+m[3]]))
		r.seen += m[1]
	}
	return len(p), nil
}

func (r *reader) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// TestCertifyAtAProviderAsksThePersonAndReallyWaits takes as long as the procedure's wait.
func TestCertifyAtAProviderAsksThePersonAndReallyWaits(t *testing.T) {
	t.Parallel()
	sb, err := sandbox.New(sandbox.Config{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sb)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("demo-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	person := &reader{pay: func(ref string) {
		if err := sb.Pay(ref); err != nil {
			t.Error(err)
		}
	}}
	var out bytes.Buffer
	code := cli.Run(context.Background(), []string{"certify", "--json", "--endpoint", server.URL + "/extclientproxy/service/v2", "--client-id", "Rig AB",
		"--client-reference", "rig 1.0", "--terminal", "demo-terminal", "--password-file", password, "--out", dir, "--patience", "30s"}, strings.NewReader(""), &out, person)
	var result struct {
		Procedure string
		Passed    bool
		Tests     []struct {
			N      int
			Name   string
			Passed bool
			Steps  []struct {
				Name, Detail string
				Passed       bool
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), person)
	}
	if code != 0 || !result.Passed || result.Procedure != "webshop" || len(result.Tests) != 6 {
		t.Errorf("exit code %d, %+v\n%s", code, result, person)
	}
	said := person.String()
	if n := strings.Count(said, "Do not pay this one"); n != 1 {
		t.Errorf("%d invoices are to be left alone", n)
	}
	if !strings.Contains(said, "█") || !strings.Contains(said, "HTTP://SEQR.SE/R") {
		t.Errorf("no QR code is shown:\n%s", said)
	}
	if _, err := os.Stat(filepath.Join(dir, "report.html")); err != nil {
		t.Error(err)
	}
	for _, inv := range sb.Ledger().Invoices {
		if inv.Status == sandbox.Issued {
			t.Errorf("%s is left open at the provider", inv.InvoiceReference)
		}
	}
}

func TestCertifyThatFailsSaysWhereAndEndsWith1(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := cli.Run(context.Background(), []string{"certify", "--client-reference", ""}, strings.NewReader(""), &out, &errs)
	if text := out.String(); code != 1 || !strings.Contains(text, "FAILED  clientReference") || !strings.Contains(text, "Failed. 0 of 6 tests passed") {
		t.Errorf("exit code %d\n%s\n%s", code, text, errs.String())
	}
}

func TestCertifyNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--endpoint", "https://seqr.example/x"}, "client id (your company's name): missing\nterminal and its password: missing"},
		{[]string{"--endpoint", "http://seqr.example/x", "--client-id", "A", "--terminal", "t", "--password", "pass"}, "AllowHTTP"},
		{[]string{"--procedure", "kiosk"}, "--procedure"},
		{[]string{"--endpoint", "https://seqr.example/x", "--shop", "acme"}, "acme"},
		{[]string{"--endpoint", "https://seqr.example/x", "--password-file", "/nowhere/at/all"}, "--password-file"},
	} {
		var out, errs bytes.Buffer
		code := cli.Run(context.Background(), append([]string{"certify"}, c.args...), strings.NewReader(""), &out, &errs)
		if code != 2 || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%q: exit code %d, %s", c.args, code, errs.String())
		}
	}
}
