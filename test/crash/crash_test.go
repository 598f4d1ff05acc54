package crash

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

var (
	invoices = flag.Int("invoices", 300, "how many orders are placed")
	rounds   = flag.Int("rounds", 1, "how often each worker and the broker is killed")
	span     = flag.Duration("span", 0, "within which time from the beginning buyers pay; unless given, 10s and 40ms for each order")
	seed     = flag.Uint64("seed", 1, "of what buyers and shops do")
	settling = flag.Duration("settling", 5*time.Minute, "how long the end may be waited for")
)

const (
	// reversal is after how long the provider takes a payment back that nobody has asked about.
	reversal = 20 * time.Second
	// latency of the calls that are killed in the middle.
	latency = 200 * time.Millisecond
)

// TestKilledProcessesCostNoMoney kills a process of every kind, each in the middle of its call where it
// makes one, and starts it again at once.
func TestKilledProcessesCostNoMoney(t *testing.T) {
	if testing.Short() {
		t.Skip("in the short form: it runs processes of its own, which the race detector does not see")
	}
	programs := procs.Build(t)
	provider := procs.NewProvider(t, sandbox.Config{})
	if err := provider.SetFaults(slow("sendInvoice", "submitPaymentReceipt", "refundPayment", "cancelInvoice")); err != nil {
		t.Fatal(err)
	}
	broker := procs.NewBroker(t, programs, "")
	s := &scene{
		t: t, provider: provider, broker: broker, enough: *invoices / 2, workers: map[string]*procs.Worker{},
		crew: procs.Crew{T: t, Programs: programs, NATS: procs.URL(broker), Provider: provider.Endpoint(), Shops: procs.DemoShops(t)},
	}
	b, js := procs.Connect(t, s.crew.NATS, 1), procs.JetStream(t, s.crew.NATS)
	if *span == 0 {
		*span = 10*time.Second + time.Duration(*invoices)*40*time.Millisecond
	}
	w := newWorld(t, t.Context(), b, provider, *invoices, *span, *seed)
	s.history = procs.Follow(t, b, w.see)
	for name, worker := range map[string]string{"poller 1": "poller", "poller 2": "poller", "invoicer": "invoicer",
		"receipter": "receipter", "canceler": "canceler", "refunder": "refunder"} {
		s.workers[name] = s.crew.Run(worker)
	}

	begun := time.Now()
	placed := make(chan struct{})
	go func() { defer close(placed); w.place() }()
	for range *rounds {
		s.round()
	}
	<-placed
	s.wait("every order to be issued and to have its fortune", w.pending.Wait)

	ctx, cancel := context.WithTimeout(t.Context(), *settling)
	defer cancel()
	if busy := procs.Until(ctx, func(ctx context.Context) string { return procs.Idle(ctx, js) }); busy != "" {
		t.Errorf("not settled: %s", busy)
	}
	t.Logf("%d orders, settled after %s", *invoices, time.Since(begun).Round(100*time.Millisecond))
	whole, err := procs.ReadHistory(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := procs.Parked(t.Context(), b); err != nil || n > 0 {
		t.Errorf("%d messages are parked (%v); want none", n, err)
	}
	judge(t, provider, whole, w)
}

func slow(operations ...string) map[string][]sandbox.Fault {
	faults := map[string][]sandbox.Fault{}
	for _, o := range operations {
		faults[o] = []sandbox.Fault{{Kind: sandbox.FaultDelay, Delay: latency}}
	}
	return faults
}

// judge compares what we have recorded with the provider's ledger and with what shops and buyers did.
func judge(t *testing.T, provider *procs.Provider, h *procs.History, w *world) {
	t.Helper()
	for _, wrong := range h.Wrong() {
		t.Errorf("history: %s", wrong)
	}
	books := procs.Compare(provider.Ledger(), h.Last())
	for _, d := range books.Differences {
		t.Errorf("ledger: %s", d)
	}
	for k, f := range w.orders {
		if wrong := ended(f, books.Last[k]); wrong != "" {
			t.Errorf("%s: %s", k, wrong)
		}
	}
	if n := len(books.Last); n != len(w.orders) {
		t.Errorf("%d invoices for %d orders", n, len(w.orders))
	}
	report(t, provider, h, books)
}

func report(t *testing.T, provider *procs.Provider, h *procs.History, books procs.Books) {
	t.Helper()
	gap := provider.Polls.Longest()
	polls, over10 := provider.Polls.Count(10 * time.Second)
	_, over15 := provider.Polls.Count(15 * time.Second)
	var unfetched time.Duration
	for _, p := range books.Ledger.Payments {
		if p.ReversedAt.IsZero() {
			unfetched = max(unfetched, p.FetchedAt.Sub(p.At))
		}
	}
	seq, _ := h.Seq(events.EventPaid)
	t.Logf("longest gap between two answered polls of one invoice: %s (of %s, from %s); %d invoices had one over 10 s, %d over 15 s",
		gap.Length.Round(time.Millisecond), gap.Reference, gap.From.Format("15:04:05.000"), over10, over15)
	t.Logf("longest time from a payment to the poll that fetched it: %s of the %s after which it is reversed", unfetched.Round(time.Millisecond), reversal)
	t.Logf("%d polls, %d events, %d payments, %d refunds, %d receipts, %d reversals, %d refunds left in doubt, %d unseen bills",
		polls, seq, len(books.Ledger.Payments), len(books.Ledger.Refunds), len(books.Ledger.Receipts), len(books.Ledger.Reversals), len(books.InDoubt), books.Orphans)
	if gap.Length >= reversal {
		t.Errorf("an invoice was not asked about for %s: had it been paid then, the payment would have been reversed", gap.Length)
	}
}
