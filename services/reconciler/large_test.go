package reconciler

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

const manyRows = 100_000

// LargeReport is a report of n rows, every tenth a refund, and our ledger of the same transactions.
func LargeReport(period, terminal string, n int) (seqr.Report, []events.LedgerEntry) {
	var b strings.Builder
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<TransactionDetails><Meta><ResellerId>demo-reseller</ResellerId>"+
		"<TerminalId>%s</TerminalId><TransactionPeriodId>%s</TransactionPeriodId><GeneratedAt>2026-05-01 23:59</GeneratedAt></Meta>\n", terminal, period)
	ledger := make([]events.LedgerEntry, 0, n)
	for i := range n {
		e := paid(fmt.Sprintf("2026050123595999900%06d", i), fmt.Sprintf("%d.%02d", 10+i%90, i%100), uint64(i+1))
		if e.InvoiceID = fmt.Sprint("order-", i); i%10 == 9 {
			e.RefundID = "r1"
		}
		ledger = append(ledger, e)
		fmt.Fprintf(&b, "<Row><TerminalId>%s</TerminalId><CashierId>NULL</CashierId><SalesAmount>%s000</SalesAmount><ErsReference>%s</ErsReference></Row>\n",
			terminal, e.Signed(), e.ErsReference)
	}
	b.WriteString("</TransactionDetails>\n")
	return seqr.Report{Content: []byte(b.String())}, ledger
}

func large(t testing.TB, report seqr.Report, entries []events.LedgerEntry) (*comparison, events.Comparison) {
	t.Helper()
	c := compareWith(ledger{Entries: entries, LedgerBefore: manyRows, Terminal: "t1"})
	if err := addRows(c, report, events.Period{Terminal: "t1", TransactionPeriodID: "P1"}); err != nil {
		t.Fatal(err)
	}
	out, err := c.conclude(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, out
}

func TestLargeReportAgreesWithinItsMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("in the short form: it is one goroutine, which the race detector only makes slow")
	}
	report, ledger := LargeReport("P1", "t1", manyRows)
	before := heap()
	c, out := large(t, report, ledger)
	used := heap() - before
	runtime.KeepAlive(c)
	if out.Matched != manyRows || out.Differences != 0 {
		t.Errorf("%d of %d matched, %d differences", out.Matched, manyRows, out.Differences)
	}
	if used > 100<<20 {
		t.Errorf("the comparison keeps %d MB", used>>20)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkCompare reads a report of 100,000 rows and holds it against a ledger as large.
func BenchmarkCompare(b *testing.B) {
	report, ledger := LargeReport("P1", "t1", manyRows)
	b.ReportAllocs()
	for b.Loop() {
		large(b, report, ledger)
	}
}
