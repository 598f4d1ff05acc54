package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func scanned(t *testing.T, b *bus.Bus, s bus.Scan) (seqs []uint64, bytes int) {
	t.Helper()
	s.Stream = events.InvoicesStream
	if _, err := b.Scan(t.Context(), s, func(m bus.Entry) error {
		seqs, bytes = append(seqs, m.Seq), bytes+len(m.Body)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return seqs, bytes
}

func TestScanGivesWhatTheFiltersMatchInOrder(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	if seqs, _ := scanned(t, b, bus.Scan{}); len(seqs) != 0 {
		t.Fatalf("an empty stream gave %v", seqs)
	}
	for i, event := range []string{"issued", "paid", "issued", "refunded", "paid", "issued"} {
		if err := b.PublishRaw(t.Context(), fmt.Sprintf("invoices.acme.%d.%s", i, event), "", []byte("body")); err != nil {
			t.Fatal(err)
		}
	}
	both := []string{"invoices.*.*.paid", "invoices.*.*.refunded"}
	for _, c := range []struct {
		name  string
		scan  bus.Scan
		want  []uint64
		bytes int
	}{
		{"everything", bus.Scan{}, []uint64{1, 2, 3, 4, 5, 6}, 24},
		{"one filter", bus.Scan{Filters: both[:1]}, []uint64{2, 5}, 8},
		{"two filters", bus.Scan{Filters: both}, []uint64{2, 4, 5}, 12},
		{"from a sequence", bus.Scan{Filters: both, From: 4}, []uint64{4, 5}, 8},
		{"from the last", bus.Scan{From: 6}, []uint64{6}, 4},
		{"from beyond the last", bus.Scan{From: 7}, nil, 0},
		{"a filter that matches nothing", bus.Scan{Filters: []string{"invoices.*.*.failed"}}, nil, 0},
		{"without bodies", bus.Scan{Filters: both, HeadersOnly: true}, []uint64{2, 4, 5}, 0},
	} {
		if seqs, bytes := scanned(t, b, c.scan); !slices.Equal(seqs, c.want) || bytes != c.bytes {
			t.Errorf("%s: %v with %d bytes, expected %v with %d", c.name, seqs, bytes, c.want, c.bytes)
		}
	}
}

func TestScanEndsAtWhatWasThereWhenItBegan(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	publish := func(n int) {
		if err := b.PublishRaw(t.Context(), fmt.Sprintf("invoices.acme.%d.paid", n), "", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		publish(n)
	}
	var seen []uint64
	last, err := b.Scan(t.Context(), bus.Scan{Stream: events.InvoicesStream}, func(m bus.Entry) error {
		seen = append(seen, m.Seq)
		publish(10 + int(m.Seq))
		return nil
	})
	if err != nil || last != 3 || !slices.Equal(seen, []uint64{1, 2, 3}) {
		t.Errorf("saw %v up to %d (%v), expected the first three", seen, last, err)
	}
}

func TestScanStopsAtAnErrorAndLeavesNoConsumer(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	for n := range 3 {
		if err := b.PublishRaw(t.Context(), fmt.Sprintf("invoices.acme.%d.paid", n), "", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	unreadable, n := errors.New("unreadable"), 0
	_, err := b.Scan(t.Context(), bus.Scan{Stream: events.InvoicesStream}, func(bus.Entry) error { n++; return unreadable })
	if !errors.Is(err, unreadable) || n != 1 {
		t.Errorf("took %d messages, %v", n, err)
	}
	s, err := b.JetStream().Stream(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	if left := s.CachedInfo().State.Consumers; left != 0 {
		t.Errorf("%d consumers are left at the broker", left)
	}
}

// BenchmarkScan goes through 100,000 events of 2 kB on disk.
func BenchmarkScan(b *testing.B) {
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
	fill(b, bs, 100_000)
	for b.Loop() {
		n := 0
		if _, err := bs.Scan(context.Background(), bus.Scan{Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.paid", "invoices.*.*.refunded"}},
			func(bus.Entry) error { n++; return nil }); err != nil || n != 100_000 {
			b.Fatalf("%d messages, %v", n, err)
		}
	}
}

// waitForever lets a slow disk be slow.
const waitForever = time.Hour

func fill(b *testing.B, bs *bus.Bus, n int) {
	b.Helper()
	body := make([]byte, 2<<10)
	for i := range n {
		if _, err := bs.JetStream().PublishAsync(fmt.Sprintf("invoices.acme.%d.paid", i), body, jetstream.WithStallWait(waitForever)); err != nil {
			b.Fatal(err)
		}
	}
	<-bs.JetStream().PublishAsyncComplete()
}
