package sandbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

func ledger(t *testing.T, s *sandbox.Sandbox) string {
	t.Helper()
	b, err := json.MarshalIndent(s.Ledger(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func kept(dir string) sandbox.Config {
	cfg := manual()
	cfg.Data = dir
	return cfg
}

// copyOf copies the data folder as it is, as if the process were killed now.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestWhatWasAnsweredIsDurable(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, kept(dir))
	_, ers := p.paid(shop, "100")
	p.want(0, "refundPayment", shop+payment(ers)+invoiceOf("60"))
	p.want(0, "submitPaymentReceipt", shop+payment(ers))
	canceled, declined, open, unfetched := p.issue(shop, "1"), p.issue(shop, "2"), p.issue(shop, "3"), p.issue(other, "4")
	p.want(0, "cancelInvoice", shop+named(canceled))
	p.must(p.Decline(declined))
	reserved := p.want(0, "sendInvoice", shop+reservation("9", "60")).InvoiceReference
	p.must(p.Pay(reserved))
	id := p.want(0, "registerTerminal", reseller+`<externalTerminalId>k</externalTerminalId><password>kassa-secret</password>`).TerminalID
	kassa := strings.NewReplacer("demo-terminal", id, "demo-secret", "kassa-secret").Replace(shop)
	p.want(0, "assignSeqrId", kassa+"<seqrId>Q1</seqrId>")
	onShow := p.issue(kassa, "5")
	period := p.mark(reseller, "")
	p.must(p.Pay(unfetched))
	p.Advance(10 * time.Second)
	before := ledger(t, p.Sandbox)
	_, wallet := p.get("/wallet/" + open)

	q := serve(t, kept(copyOf(t, dir))) // as after kill -9: p is not closed
	if after := ledger(t, q.Sandbox); after != before {
		t.Fatalf("the ledger was\n%s\nand is\n%s", before, after)
	}
	if _, after := q.get("/wallet/" + open); after != wallet || !strings.Contains(after, "Thing") {
		t.Errorf("the wallet showed %s and shows %s", wallet, after)
	}
	if a := q.status(shop, open); a.Status != "ISSUED" {
		t.Errorf("%+v", a)
	}
	q.want(98, "refundPayment", shop+payment(ers)+invoiceOf("41"))
	if _, body := q.get("/QQ1"); !strings.Contains(body, onShow) {
		t.Error("the terminal's own code is forgotten")
	}
	next := q.issue(kassa, "6")
	if next == onShow || q.invoice(onShow).Status != "CANCELED" {
		t.Error("the cash register has two live invoices")
	}
	if again := q.mark(reseller, ""); again <= period {
		t.Errorf("period %s after %s", again, period)
	}
	q.Advance(10 * time.Second) // 20 s after the payment, 10 of them here
	if got := q.invoice(unfetched).Status; got != "CANCELED" {
		t.Errorf("the payment nobody fetched is %s", got)
	}
	q.Advance(40 * time.Second)
	if got := q.invoice(reserved).Status; got != "CANCELED" {
		t.Errorf("the reservation is %s", got)
	}
	if doc := q.report(reseller, "Shop", "transactionPeriodId", period); !strings.Contains(doc, "<SalesTotal>100.00000</SalesTotal>") {
		t.Errorf("the old period's report:\n%s", doc)
	}
	for _, name := range []string{"demo-secret", "kassa-secret"} {
		if raw, err := os.ReadFile(filepath.Join(dir, "effects.jsonl")); err != nil || strings.Contains(string(raw), name) {
			t.Errorf("%v; the data folder holds a password: %v", err, name)
		}
	}
}

// Times that the journal cannot hold are refused, and the sandbox goes on working.
func TestTimesThatCannotBeWrittenDown(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, kept(dir))
	dated := func(at string) string {
		return shop + strings.Replace(invoiceOf("5"), "<title>", "<issueDate>"+at+"</issueDate><title>", 1)
	}
	for _, at := range []string{"2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00-23:59", "2026-03-01T12:00:00+14:01"} {
		p.want(49, "sendInvoice", dated(at))
	}
	p.want(0, "sendInvoice", dated("9999-12-31T23:59:59-14:00"))
	p.want(0, "sendInvoice", dated("0000-01-01T00:00:00+14:00"))
	century := func() (int, string) { return p.do("POST", "/clock/advance?d=876000h", "", "") }
	for status, body := century(); status != 400; status, body = century() {
		if status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	before := p.Now()
	if status, body := century(); status != 400 || !strings.Contains(body, "9997") || !p.Now().Equal(before) || before.Year() < 9890 {
		t.Errorf("%d %s at %s", status, body, p.Now())
	}
	p.Advance(time.Date(9997, 12, 31, 23, 59, 59, 0, time.UTC).Sub(before))
	if year := p.Now().Year(); year != 9997 {
		t.Errorf("the year is %d", year)
	}
	if status, body := p.do("POST", "/clock/advance?d=48h", "", ""); status != 400 {
		t.Errorf("%d %s", status, body)
	}
	longest := p.want(0, "sendInvoice", shop+reservation("9", "31622400")).InvoiceReference
	p.must(p.Pay(longest))
	ref, _ := p.paid(shop, "5")
	q := serve(t, kept(copyOf(t, dir)))
	if a := q.status(shop, ref); a.Status != "PAID" {
		t.Errorf("%+v", a)
	}
}

// A manual clock stands still while no process runs.
func TestManualClockSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	early := kept(dir)
	early.Start = time.Now().Add(-time.Hour)
	p := serve(t, early)
	ref := p.issue(shop, "5")
	p.must(p.Pay(ref))
	p.Advance(7 * time.Second)
	before := p.Now()

	resumed := kept(copyOf(t, dir))
	resumed.Start = time.Time{} // as the command line has it
	q := serve(t, resumed)
	if !q.Now().Equal(before) {
		t.Errorf("the clock stood at %s, and stands at %s", before, q.Now())
	}
	if a := q.status(shop, ref); a.Status != "PAID" {
		t.Errorf("%+v", a)
	}
	later := kept(copyOf(t, dir))
	later.Start = before.Add(time.Minute)
	if r := serve(t, later); !r.Now().Equal(later.Start) || r.status(shop, ref).Status != "CANCELED" {
		t.Errorf("started a minute later, it is %s", r.Now())
	}
}

func TestReadyReportSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, kept(dir))
	period := p.mark(reseller, "")
	p.report(reseller, "Shop", "transactionPeriodId", period)
	q := serve(t, kept(copyOf(t, dir)))
	q.want(0, "executeReport", reseller+`<reportId>Reconciliation/Shop.xml</reportId>`+params("transactionPeriodId", period))
}

func TestTornLastLineIsCutOff(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, kept(dir))
	ref := p.issue(shop, "5")
	p.must(p.Close())
	file := filepath.Join(dir, "effects.jsonl")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range []string{`{"at":"2026`, `{"at":"2026-03-01T12:00:00Z","what":"ca` + "\n", "\x00\x00\x00\x00", "\x00\x00\n"} {
		if err := os.WriteFile(file, append(append([]byte{}, whole...), torn...), 0o600); err != nil {
			t.Fatal(err)
		}
		q := serve(t, kept(dir))
		if a := q.status(shop, ref); a.Status != "ISSUED" {
			t.Errorf("after %q: %+v", torn, a)
		}
		q.want(0, "cancelInvoice", shop+named(ref))
		q.must(q.Close())
		r := serve(t, kept(dir))
		if a := r.status(shop, ref); a.Status != "CANCELED" {
			t.Errorf("what came after %q: %+v", torn, a)
		}
		r.must(r.Close())
	}
}

func TestDamagedDataIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "effects.jsonl"), []byte("{}\nnonsense\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.New(kept(dir)); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
}

func TestDataFolderServesOneSandbox(t *testing.T) {
	dir := t.TempDir()
	serve(t, kept(dir))
	if _, err := sandbox.New(kept(dir)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	_, err := sandbox.New(sandbox.Config{
		Terminals: []sandbox.Terminal{{ID: "a", Password: "x"}, {ID: "a", Password: "x"}, {ID: "b"}},
		Resellers: []sandbox.Reseller{{ID: "r"}}, Reversal: -1, Lifetime: -1,
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"Terminals[1]", "Terminals[2]", "Resellers[0]", "Reversal", "Lifetime"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
}

// Payments, cancels and polls of the same invoices at once: the ledger balances, each invoice ends once, and the disk agrees.
func TestConcurrentPaysCancelsAndPolls(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, kept(dir))
	var refs []string
	for range 30 {
		refs = append(refs, p.issue(shop, "10"))
	}
	var all sync.WaitGroup
	for _, ref := range refs {
		all.Go(func() { _ = p.Pay(ref) }) // refused where the cancel was faster
		for _, op := range []string{"cancelInvoice", "getPaymentStatus"} {
			all.Go(func() {
				if status, body, err := p.post(service, "text/xml", envelope(op, shop+named(ref))); status != 200 {
					t.Errorf("%s: %d %s %v", op, status, body, err)
				}
			})
		}
	}
	all.Wait()
	l := p.Ledger()
	paid := 0
	for _, inv := range l.Invoices {
		switch inv.Status {
		case sandbox.Paid:
			paid++
		case sandbox.Canceled:
		default:
			t.Errorf("an invoice is %s", inv.Status)
		}
		if inv.Version != 1 {
			t.Errorf("version %d", inv.Version)
		}
	}
	if len(l.Payments) != paid {
		t.Errorf("%d invoices are paid, but there are %d payments", paid, len(l.Payments))
	}
	q := serve(t, kept(copyOf(t, dir)))
	if before, after := ledger(t, p.Sandbox), ledger(t, q.Sandbox); before != after {
		t.Errorf("memory\n%s\ndisk\n%s", before, after)
	}
}
