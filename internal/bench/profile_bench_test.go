package bench_test

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bench"
)

// BenchmarkLifecycle is `seqrflow bench lifecycle` where a profile can be taken of it; one operation is one order.
func BenchmarkLifecycle(b *testing.B) {
	const orders = 1000
	for b.Loop() {
		r, err := bench.Lifecycle{Folder: bench.Folder{Data: b.TempDir()}, Orders: orders}.Run(b.Context(), bench.Config{Log: zerolog.Nop()})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.PerSec, "orders/s")
	}
}

// BenchmarkPoll is `seqrflow bench poll` where a profile can be taken of it; one operation is ten seconds.
func BenchmarkPoll(b *testing.B) {
	const invoices = 2000
	for b.Loop() {
		r, err := bench.Poll{Folder: bench.Folder{Data: b.TempDir()}, Invoices: invoices, Seconds: 10}.Run(b.Context(), bench.Config{Log: zerolog.Nop()})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.PerSec, "polls/s")
		b.ReportMetric(float64(r.Lateness.P99)/float64(time.Millisecond), "p99-ms")
		b.ReportMetric(r.CPUs*1e6/r.PerSec, "µs-cpu/poll")
	}
}
