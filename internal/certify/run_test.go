package certify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func names(r Report) []string {
	var out []string
	for _, t := range r.Tests {
		out = append(out, t.Name)
	}
	return out
}

func expectPassed(t *testing.T, r Report) {
	t.Helper()
	for i, test := range r.Tests {
		if test.N != i+1 || !test.Passed || len(test.Steps) == 0 {
			t.Errorf("%d %s: passed %v, %+v", test.N, test.Name, test.Passed, failures(test))
		}
	}
	if !r.Passed {
		t.Error("not passed")
	}
}

func TestWebshopPassesAndLeavesEvidence(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "evidence")
	if err := Prepare(folder); err != nil {
		t.Fatal(err)
	}
	stale, note := filepath.Join(folder, "exchanges", "900-sendInvoice-request.xml"), filepath.Join(folder, "exchanges", "notes.txt")
	for _, f := range []string{stale, note} {
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rep, err := Run(t.Context(), Config{Procedure: Webshop, ClientID: "R&D <AB>", ClientReference: "rig 1.0", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	expectPassed(t, rep)
	if want := []string{"sendInvoice", "getPaymentStatus", "submitPaymentReceipt", "cancelInvoice", "refundPayment", "markTransactionPeriod"}; !slices.Equal(names(rep), want) {
		t.Errorf("tests %q", names(rep))
	}
	if err := rep.Write(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an earlier run's exchange is still there: %v", err)
	}
	if _, err := os.Stat(note); err != nil {
		t.Errorf("a file that is not ours: %v", err)
	}
	expectNumbers(t, rep)
	expectFiles(t, folder, rep)
	expectPage(t, folder, rep)
}

// expectFiles compares report.json and the exchanges' files with the report.
func expectFiles(t *testing.T, folder string, rep Report) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatal(err)
	}
	if back.Passed != rep.Passed || len(back.Tests) != len(rep.Tests) || len(back.Exchanges) != len(rep.Exchanges) {
		t.Errorf("report.json: %d tests, %d exchanges", len(back.Tests), len(back.Exchanges))
	}
	for _, e := range back.Exchanges {
		for _, f := range []string{e.RequestFile, e.ResponseFile} {
			text, err := os.ReadFile(filepath.Join(folder, f))
			if err != nil {
				t.Error(err)
				continue
			}
			op, err := payload(text)
			if err != nil || !strings.HasPrefix(op.XMLName.Local, e.Operation) {
				t.Errorf("%s: %+v, %v", f, op, err)
			}
		}
	}
	expectNoSecret(t, folder, "demo-secret")
}

func expectNoSecret(t *testing.T, folder, secret string) {
	t.Helper()
	masked := 0
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s has the password", path)
		}
		masked += bytes.Count(text, []byte("<password>***</password>"))
		return err
	})
	if err != nil || masked == 0 {
		t.Errorf("%d masked passwords, %v", masked, err)
	}
}

func expectPage(t *testing.T, folder string, rep Report) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(folder, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	html := string(body)
	for _, want := range []string{"R&amp;D &lt;AB&gt;", "certification, webshop", "passed", "&lt;invoiceReference&gt;", `id="test-6"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(html, "R&D <AB>") || strings.Contains(html, "<script") {
		t.Error("the page is not escaped")
	}
	if loads := regexp.MustCompile(`(?i)<(link|img|iframe)|src=|@import|url\(`).FindString(html); loads != "" {
		t.Errorf("the page needs something beside it: %s", loads)
	}
	for _, test := range rep.Tests {
		for _, s := range test.Steps {
			if s.Name == "" || slices.ContainsFunc(s.Exchanges, func(n int) bool { return n < 1 || n > len(rep.Exchanges) }) {
				t.Errorf("step %+v", s)
			}
		}
	}
}

func TestPointOfSalePassesWithATerminalOfItsOwn(t *testing.T) {
	t.Parallel()
	rep, err := Run(t.Context(), Config{Procedure: PointOfSale, ClientID: "Rig AB", ClientReference: "rig 1.0", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	expectPassed(t, rep)
	expectNumbers(t, rep)
	want := []string{"registerTerminal", "assignSeqrId", "sendInvoice", "getPaymentStatus", "submitPaymentReceipt", "cancelInvoice", "refundPayment",
		"markTransactionPeriod", "unregisterTerminal"}
	if !slices.Equal(names(rep), want) {
		t.Errorf("tests %q", names(rep))
	}
	if rep.Terminal == "" || rep.Terminal == sandbox.DemoTerminals()[0].ID {
		t.Errorf("terminal %q", rep.Terminal)
	}
	for _, x := range rep.Exchanges {
		if p := x.call.request.word("password"); x.Operation == "registerTerminal" && p != "***" {
			t.Errorf("the new terminal's password is recorded as %q", p)
		}
		terminal := x.call.request.word("context", "initiatorPrincipalId", "id")
		if strings.HasSuffix(x.Operation, "Payment") && terminal != rep.Terminal {
			t.Errorf("%s by %s", x.Operation, terminal)
		}
	}
	if last := rep.Exchanges[len(rep.Exchanges)-1]; last.Operation != "unregisterTerminal" {
		t.Errorf("the last call is %s", last.Operation)
	}
}

// stopper ends the run when a test begins.
type stopper struct {
	at   int
	stop context.CancelFunc
}

func (s stopper) TestStarted(t Test) {
	if t.N == s.at {
		s.stop()
	}
}
func (stopper) StepDone(Step)  {}
func (stopper) Waiting(string) {}

func TestARunThatIsStoppedHasAReportAllTheSame(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rep, err := Run(ctx, Config{Procedure: Webshop, ClientID: "Rig AB", ClientReference: "rig 1.0", Log: zerolog.Nop(), Observer: stopper{2, cancel}})
	if err != nil {
		t.Fatal(err)
	}
	var canceled int
	for _, x := range rep.Exchanges {
		if x.Operation == "cancelInvoice" && x.Code != nil && *x.Code == 0 {
			canceled++
		}
	}
	if canceled != 2 {
		t.Errorf("%d of the first test's two invoices were canceled", canceled)
	}
	if rep.Passed || len(rep.Tests) != 6 || !rep.Tests[0].Passed {
		t.Errorf("%+v", rep.Result)
	}
	for _, test := range rep.Tests[1:] {
		if test.Passed {
			t.Errorf("%s passed", test.Name)
		}
	}
}

func TestWithoutATerminalNothingElseIsTried(t *testing.T) {
	t.Parallel()
	sb, err := sandbox.New(sandbox.Config{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sb)
	t.Cleanup(func() {
		server.Close()
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	rep, err := Run(t.Context(), Config{Procedure: PointOfSale, ClientID: "Rig AB", ClientReference: "rig 1.0", Log: zerolog.Nop(), Buyer: sandboxBuyer{sb},
		Provider: Provider{Endpoint: server.URL + sandbox.Path, Reseller: seqr.ResellerUser("demo-reseller", "9900", "wrong-secret"), SeqrID: "TILL1"}})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Passed || len(rep.Tests) != 9 || len(rep.Exchanges) != 1 {
		t.Fatalf("%d tests, %d exchanges", len(rep.Tests), len(rep.Exchanges))
	}
	if s := rep.Tests[0].Steps[0]; s.Passed || !strings.Contains(s.Detail, "AUTHENTICATION_FAILED") || strings.Contains(s.Detail, "wrong-secret") {
		t.Errorf("%+v", s)
	}
}

func TestSettingsAreCheckedAllAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  Config
		want []string
	}{
		{Config{Procedure: "kiosk"}, []string{"procedure", "kiosk"}},
		{Config{Procedure: Webshop, Provider: Provider{Currency: "kronor"}}, []string{"currency"}},
		{Config{Procedure: Webshop, Provider: Provider{Endpoint: "https://seqr.example/"}}, []string{"client id", "buyer", "terminal"}},
		{Config{Procedure: PointOfSale, Provider: Provider{Endpoint: "https://seqr.example/"}}, []string{"reseller", "seqr id"}},
		{Config{Procedure: Webshop, ClientReference: strings.Repeat("x", 33)}, []string{"ClientReference"}},
	} {
		_, err := Run(t.Context(), c.cfg)
		var wrong *SettingsError
		if !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", c.cfg, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q lacks %q", err, want)
			}
		}
	}
}
