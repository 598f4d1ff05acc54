package seqrtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// TestSuiteTellsProvidersApart aims this test program, by its flags, at providers good and bad: each bad one
// fails exactly the checks that are about what is wrong with it.
func TestSuiteTellsProvidersApart(t *testing.T) {
	for _, c := range []struct {
		name      string
		configure func(*Config)
		faults    map[string]Fault
		failed    []string
	}{
		{name: "as it should be"},
		{
			name:      "payments that are not fetched are kept",
			configure: func(c *Config) { c.Reversal = time.Hour },
			failed:    []string{"PaymentNotFetchedIsReversed"},
		},
		{
			name:   "an invoice of nothing is refused in words of its own", // the tenth sendInvoice
			faults: map[string]Fault{"sendInvoice": {Kind: "resultCode", Code: 11, Skip: 9, Count: 1}},
		},
		{
			name:   "unknown terminals are answered as unknown resellers", // the third sendInvoice
			faults: map[string]Fault{"sendInvoice": {Kind: "resultCode", Code: 37, Skip: 2, Count: 1}},
			failed: []string{"PrincipalsThatAreRefused"},
		},
		{
			name:   "reports fail",
			faults: map[string]Fault{"executeReport": {Kind: "resultCode", Code: 90}},
			failed: []string{"Closing"},
		},
		{
			name:   "paid invoices cannot be told from canceled ones",
			faults: map[string]Fault{"cancelInvoice": {Kind: "resultCodeAfter", Code: 95, Skip: 6}},
			failed: []string{"InvoiceIsChanged", "PaidCannotBeCanceled", "Till"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := Start(t, func(cfg *Config) {
				cfg.Terminals[0].Password, cfg.Resellers[0].Password = "their-secret", "owner-secret"
				if c.configure != nil {
					c.configure(cfg)
				}
			})
			for operation, fault := range c.faults {
				srv.Faults(operation, fault)
			}
			if failed := aim(t, srv); !slices.Equal(failed, c.failed) {
				t.Errorf("failed: %v; want %v", failed, c.failed)
			}
		})
	}
}

// aim runs the suite in a process of its own, and gives the checks that failed.
func aim(t *testing.T, srv *Server) []string {
	t.Helper()
	run := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestProvider$",
		"-endpoint", srv.Endpoint, "-wallet", srv.URL, "-clock", "manual",
		"-terminal-password-file", file(t, "their-secret\n"),
		"-reseller", "demo-reseller", "-reseller-password-file", file(t, "owner-secret\n"))
	said, err := run.CombinedOutput()
	passed := regexp.MustCompile(`(?m)^ +--- PASS`).FindAll(said, -1)
	var failed []string
	for _, f := range regexp.MustCompile(`(?m)^ +--- FAIL: TestProvider/(\w+)`).FindAllSubmatch(said, -1) {
		failed = append(failed, string(f[1]))
	}
	if (err == nil) != (len(failed) == 0) || len(passed)+len(failed) != len(cases()) {
		t.Fatalf("%v\n%s", err, said)
	}
	return failed
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
