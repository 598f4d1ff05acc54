package lifecycle

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// provider makes all calls that the workers make.
type provider interface {
	invoicer.Provider
	poller.Provider
	receipter.Provider
	canceler.Provider
	refunder.Provider
}

type worker interface{ Run(context.Context) error }

// system is a broker and a sandbox, and the workers that a test runs on them.
type system struct {
	*rig.Rig
	t       *testing.T
	foreign *[]uint64 // sequences in INVOICES of what no worker wrote
}

// newSystem is a system without workers.
func newSystem(t *testing.T, cfg ...sandbox.Config) system {
	t.Helper()
	return system{rig.New(t, append(cfg, sandbox.Config{})[0]), t, new([]uint64)}
}

// start is a system with all workers.
func start(t *testing.T) system {
	t.Helper()
	r := newSystem(t)
	r.start(r.Client)
	return r
}

// workers of one process.
func (r system) workers(p provider) map[string]worker {
	return map[string]worker{
		invoicer.Name:  invoicer.New(invoicer.Config{Bus: r.Bus, Provider: p, Shops: rig.Shops{}, ValidFor: time.Minute, Log: r.Log}),
		poller.Name:    poller.New(poller.Config{Bus: r.Bus, Provider: p, Shops: rig.Shops{}, Interval: 100 * time.Millisecond, Log: r.Log}),
		receipter.Name: receipter.New(receipter.Config{Bus: r.Bus, Provider: p, Shops: rig.Shops{}}),
		canceler.Name:  canceler.New(canceler.Config{Bus: r.Bus, Provider: p, Shops: rig.Shops{}}),
		refunder.Name:  refunder.New(refunder.Config{Bus: r.Bus, Provider: p, Shops: rig.Shops{}}),
	}
}

// start runs all workers but the named ones. At the end of the test the history and the provider's ledger are checked.
func (r system) start(p provider, but ...string) {
	r.runAll(p, but...)
	r.t.Cleanup(r.audit)
}

// runAll runs all workers but the named ones.
func (r system) runAll(p provider, but ...string) {
	for name, w := range r.workers(p) {
		if !slices.Contains(but, name) {
			r.Run(w)
		}
	}
}

// audit checks the history against the state table and the provider's ledger, once no worker but the poller has anything left to do.
func (r system) audit() {
	if r.t.Failed() {
		return
	}
	r.IdleBut(poller.Name) // it leases what is open
	rig.Audit(r.t, r.Bus, r.Sandbox.Ledger(), *r.foreign...)
}

// runRefunder runs a refunder with a connection of its own.
func (r system) runRefunder(p refunder.Provider) (stop func()) {
	return r.Run(refunder.New(refunder.Config{Bus: r.Connect(), Provider: p, Shops: rig.Shops{}, Log: r.Log}))
}

// process makes a refunder as a process of its own: a connection that can be lost, and messages that come again soon after.
func (r system) process(p refunder.Provider, opts ...nats.Option) (*bus.Bus, *refunder.Worker) {
	r.t.Helper()
	b := r.ConnectWith(bus.Config{Options: opts, AckWait: time.Second, Backoff: bus.Backoff{First: 5 * time.Millisecond, Most: 50 * time.Millisecond}})
	return b, refunder.New(refunder.Config{Bus: b, Provider: p, Shops: rig.Shops{}})
}

// stopDuringCall stops a refunder that is in the middle of a call, as a deploy does, and returns once it receives no
// more messages. It may finish those that it has.
func (r system) stopDuringCall(stop func()) {
	r.t.Helper()
	go stop()
	r.waitUntil(func() bool { // the broker announces no pull that has ended
		c, err := r.JetStream().Consumer(r.t.Context(), events.OrdersStream, refunder.Name)
		return err == nil && c.CachedInfo().NumWaiting == 0
	})
}

// waitUntil waits for something that has no signal.
func (r system) waitUntil(ok func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), rig.Patience)
	defer cancel()
	missing := rig.Until(ctx, func(context.Context) string {
		if ok() {
			return ""
		}
		return "not yet"
	})
	if missing != "" {
		r.t.Fatalf("not within %s", rig.Patience)
	}
}

// try is another try at paying the same order.
func try(order, invoice, total string) events.Order {
	o := rig.Order(order, total)
	o.InvoiceID = invoice
	return o
}

// pay has the buyer pay once the invoice is issued.
func (r system) pay(id string) {
	r.t.Helper()
	r.Pay(r.Wait(id, events.EventIssued).InvoiceReference)
}

// payOrder places an order, has it paid, and waits until it is receipted.
func (r system) payOrder(id, total string) {
	r.t.Helper()
	r.Place(rig.Order(id, total))
	r.pay(id)
	r.Wait(id, events.EventReceipted)
}

// writeForeign publishes a message under an invoice's subjects, as no worker does.
func (r system) writeForeign(invoice string, e events.Name) {
	r.t.Helper()
	r.Raw(events.KeyOf(rig.Shop, invoice).Subject(e), []byte("{}"))
	*r.foreign = append(*r.foreign, r.lastSeq(events.InvoicesStream))
}

func (r system) setFaults(f map[string][]sandbox.Fault) {
	r.t.Helper()
	if err := r.Sandbox.SetFaults(f); err != nil {
		r.t.Fatal(err)
	}
}

func (r system) expectHistory(id string, want ...events.Name) {
	r.t.Helper()
	if got := r.History(id); !slices.Equal(got, want) {
		r.t.Errorf("%s: %v, expected %v", id, got, want)
	}
}

// expectRefunds waits until no worker has anything left to do, and checks which amounts the provider has refunded.
func (r system) expectRefunds(want ...string) {
	r.t.Helper()
	r.Idle()
	var got []string
	for _, refund := range r.Sandbox.Ledger().Refunds {
		got = append(got, refund.Amount.Trim(0).String())
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("the provider refunded %v, expected %v", got, want)
	}
}

func (r system) lastSeq(stream string) uint64 {
	r.t.Helper()
	seq, err := r.Bus.LastSeq(r.t.Context(), stream)
	if err != nil {
		r.t.Fatal(err)
	}
	return seq
}

// limitInvoices sets how many messages INVOICES may have, as an operator would; -1 is without a limit.
func (r system) limitInvoices(messages int64) {
	r.t.Helper()
	s, err := r.JetStream().Stream(r.t.Context(), events.InvoicesStream)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = messages
	if _, err := r.JetStream().UpdateStream(r.t.Context(), cfg); err != nil {
		r.t.Fatal(err)
	}
}

// waitForGauge waits until the sum over all labels of a metric fits.
func (r system) waitForGauge(reg *prometheus.Registry, name string, fits func(float64) bool) {
	r.t.Helper()
	r.waitUntil(func() bool {
		families, err := reg.Gather()
		if err != nil {
			r.t.Fatal(err)
		}
		sum := 0.0
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == name {
					sum += m.GetGauge().GetValue()
				}
			}
		}
		return fits(sum)
	})
}

// The following record events without a provider, as the workers would.

func (r system) append(invoice string, decisions ...bus.Decide) {
	r.t.Helper()
	rig.AppendEvents(r.t, r.Bus, events.KeyOf(rig.Shop, invoice), decisions...)
}

func (r system) fact() events.Fact { return events.Fact{At: r.Bus.Now(), Why: "test"} }

// recordIssued records an invoice of an order of 10.
func (r system) recordIssued(order, invoice string) {
	r.t.Helper()
	r.append(invoice, func(i events.Invoice) (events.Invoice, error) {
		return i.IssuedAs(try(order, invoice, "10"), events.ProviderInvoice{Terminal: "demo-terminal", Reference: "ref-" + invoice, ValidFor: time.Hour}, r.fact())
	})
}

func (r system) recordPaid(invoice string) {
	r.t.Helper()
	r.append(invoice, func(i events.Invoice) (events.Invoice, error) { return i.PaidWith("ers-"+invoice, "poller", r.fact()) })
}

func (r system) recordCanceled(invoice string) {
	r.t.Helper()
	r.append(invoice, func(i events.Invoice) (events.Invoice, error) {
		return i.EndedBy(events.EventCanceled, "poller", r.fact())
	})
}

// recordUnknown records a refund whose outcome is unknown.
func (r system) recordUnknown(invoice, refund, amount string) {
	r.t.Helper()
	r.append(invoice, func(i events.Invoice) (events.Invoice, error) {
		return i.Refunding(events.Refund{RefundID: refund, Amount: rig.Amount(amount)}, r.fact())
	}, func(i events.Invoice) (events.Invoice, error) { return i.RefundInDoubt(refund, r.fact()) })
}

// settle records what an operator, whose clock is a second behind, found out about a refund.
func (r system) settle(invoice, refund string, happened bool) {
	r.t.Helper()
	if _, err := r.Bus.Update(r.t.Context(), "operator", events.KeyOf(rig.Shop, invoice), func(i events.Invoice) (events.Invoice, error) {
		return i.RefundSettled(refund, happened, "", events.Fact{At: r.Bus.Now().Add(-time.Second), Why: "an operator has looked", By: "operator"})
	}); err != nil {
		r.t.Fatal(err)
	}
}
