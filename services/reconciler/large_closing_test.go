package reconciler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

// BenchmarkClosing is a whole closing with 100,000 events in the ledger and as many rows in the report:
// real broker, scan from disk, parsing, comparison. Only the provider's own time is left out.
func BenchmarkClosing(b *testing.B) {
	srv, err := natsd.Start(b.Context(), natsd.Config{Data: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(srv.Close)
	bs, err := bus.Connect(b.Context(), bus.Config{Name: "bench", Options: []nats.Option{srv.InProcess()}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(bs.Close)
	if err := bs.EnsureStreams(b.Context()); err != nil {
		b.Fatal(err)
	}
	report, ledger := reconciler.LargeReport("P1", "t1", 100_000)
	record(b, rig.JetStream(b, "", srv.InProcess()), ledger)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	soon := time.Millisecond
	worker := reconciler.New(reconciler.Config{
		Bus: bs, Provider: fixed{report}, Shops: shops{"acme": account{terminal: "t1"}}, Log: zerolog.Nop(),
		Pauses: reconciler.Pauses{Report: soon, NotReady: soon, Previous: soon, LookAgain: []time.Duration{}},
	})
	go func() { ended <- worker.Run(ctx) }()
	began := time.Now()
	if _, err := reconciler.RequestClose(ctx, bs, "operator", "acme", "1", ""); err != nil {
		b.Fatal(err)
	}
	p, err := reconciler.Await(ctx, bs, events.PeriodKeyOf("acme", "1"))
	b.ReportMetric(time.Since(began).Seconds(), "s/closing")
	b.ReportMetric(peak(b), "peak-MB")
	if err != nil || p.State != events.PeriodReconciled || p.Rows != len(ledger) {
		b.Errorf("%s with %d rows (%v)\n%s", p.State, p.Rows, err, reconciler.Summary(p))
	}
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// fixed is a provider with one report.
type fixed struct{ report seqr.Report }

func (fixed) MarkTransactionPeriod(context.Context, seqr.MarkTransactionPeriod) (string, error) {
	return "P1", nil
}

func (f fixed) ExecuteReport(context.Context, seqr.ExecuteReport) (seqr.Report, error) {
	return f.report, nil
}

// record writes the ledger as events of INVOICES of a realistic size.
func record(b *testing.B, js jetstream.JetStream, ledger []events.LedgerEntry) {
	b.Helper()
	var rows []events.Row
	for i := range 6 {
		rows = append(rows, events.Row{Description: fmt.Sprint("Kaffe och bulle nummer ", i), SKU: "sku-4711", Unit: "st"})
	}
	for _, e := range ledger {
		inv := events.Invoice{
			Shop: e.Shop, InvoiceID: e.InvoiceID, OrderID: e.InvoiceID, Currency: e.Currency, Total: e.Amount, Terminal: "t1", ErsReference: e.ErsReference,
			State: events.Paid, Order: &events.Order{OrderID: e.InvoiceID, Shop: e.Shop, Currency: e.Currency, Total: e.Amount, Rows: rows},
			Change: events.Change{Event: events.EventPaid, By: "poller", Why: "the provider says PAID"},
		}
		if e.IsRefund() {
			inv.Refunds = []events.Refund{{RefundID: e.RefundID, Amount: e.Amount, Status: events.RefundDone, ErsReference: e.ErsReference}}
			inv.Change.Event, inv.Change.RefundID = events.EventRefunded, e.RefundID
		}
		env, err := events.NewEnvelope(e.ErsReference, "/seqrflow/test", "invoice.paid", e.InvoiceID, time.Unix(0, 0), inv)
		if err != nil {
			b.Fatal(err)
		}
		body, err := json.Marshal(env)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := js.PublishAsync(inv.Key().Subject(inv.Change.Event), body, jetstream.WithStallWait(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
}

// peak is the most memory the process ever had, the broker and the generated data included.
func peak(b *testing.B) float64 {
	b.Helper()
	body, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Logf("no peak memory on this system: %v", err)
		return 0
	}
	_, after, _ := strings.Cut(string(body), "VmHWM:")
	var kb float64
	if _, err := fmt.Sscan(after, &kb); err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}
