package crash

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
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
	// reversal is after how long the provider takes a payment back whose status was not fetched.
	reversal = 20 * time.Second
	// latency of the calls during which a worker is killed.
	latency = 200 * time.Millisecond
)

// TestKilledProcessesCostNoMoney kills a process of every kind, each during its call to the provider where it
// makes one, and starts it again at once.
func TestKilledProcessesCostNoMoney(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("in the short form: it runs processes of its own, which the race detector does not see")
	}
	programs := procs.Build(t)
	provider := procs.NewProvider(t, sandbox.Config{})
	if err := provider.SetFaults(slow("sendInvoice", "submitPaymentReceipt", "refundPayment", "cancelInvoice")); err != nil {
		t.Fatal(err)
	}
	broker := procs.NewBroker(t, programs, "")
	f := &fixture{
		t: t, provider: provider, broker: broker, enough: *invoices / 2, workers: map[string]*procs.Worker{},
		start: procs.Workers{T: t, Programs: programs, NATS: procs.URL(broker), Provider: provider.Endpoint(), Shops: procs.DemoShops(t)},
	}
	b, js := procs.Connect(t, f.start.NATS, 1), rig.JetStream(t, f.start.NATS)
	if *span == 0 {
		*span = 10*time.Second + time.Duration(*invoices)*40*time.Millisecond
	}
	s := newScenario(t, t.Context(), b, provider, *invoices, *span, *seed)
	f.events = procs.Follow(t, b, s.onEvent)
	for name, worker := range map[string]string{"poller 1": "poller", "poller 2": "poller", "invoicer": "invoicer",
		"receipter": "receipter", "canceler": "canceler", "refunder": "refunder"} {
		f.workers[name] = f.start.Run(worker)
	}

	begun := time.Now()
	placed := make(chan struct{})
	go func() { defer close(placed); s.placeAll() }()
	for range *rounds {
		f.killEach()
	}
	<-placed
	f.within("every order to be issued, and its buyer and shop to act", s.pending.Wait)

	ctx, cancel := context.WithTimeout(t.Context(), *settling)
	defer cancel()
	if busy := rig.Until(ctx, func(ctx context.Context) string { return rig.Busy(ctx, js) }); busy != "" {
		t.Errorf("not settled: %s", busy)
	}
	t.Logf("%d orders, settled after %s", *invoices, time.Since(begun).Round(100*time.Millisecond))
	ledger := provider.Ledger()
	history, comparison := rig.Audit(t, b, ledger)
	rig.NoneParked(t, b)
	s.checkOutcomes(history)
	report(t, provider, ledger, f.events.Events(), comparison)
}

func slow(operations ...string) map[string][]sandbox.Fault {
	faults := map[string][]sandbox.Fault{}
	for _, o := range operations {
		faults[o] = []sandbox.Fault{{Kind: sandbox.FaultDelay, Delay: latency}}
	}
	return faults
}

// report logs the figures of the run, and fails the test when an invoice was not polled for so long that its payment would have
// been reversed.
func report(t *testing.T, provider *procs.Provider, l sandbox.Ledger, events int, c audit.Comparison) {
	t.Helper()
	gap := provider.Polls.Longest()
	polls, over10 := provider.Polls.Count(10 * time.Second)
	_, over15 := provider.Polls.Count(15 * time.Second)
	var unfetched time.Duration
	for _, p := range l.Payments {
		if p.ReversedAt.IsZero() {
			unfetched = max(unfetched, p.FetchedAt.Sub(p.At))
		}
	}
	t.Logf("longest gap between two answered polls of one invoice: %s (of %s, from %s); %d invoices had one over 10 s, %d over 15 s",
		gap.Length.Round(time.Millisecond), gap.Reference, gap.From.Format("15:04:05.000"), over10, over15)
	t.Logf("longest time from a payment to the poll that fetched it: %s of the %s after which it is reversed", unfetched.Round(time.Millisecond), reversal)
	t.Logf("%d polls, %d events, %d payments, %d refunds, %d receipts, %d reversals, %d refunds left in doubt, %d unrecorded invoices at the provider",
		polls, events, len(l.Payments), len(l.Refunds), len(l.Receipts), len(l.Reversals), len(c.Unknown), c.Unrecorded)
	if gap.Length >= reversal {
		t.Errorf("an invoice was not polled for %s: had it been paid then, the payment would have been reversed", gap.Length)
	}
}
