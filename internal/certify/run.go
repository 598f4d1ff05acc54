package certify

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// run is one procedure under way.
type run struct {
	Config
	id         string // makes the orders of this run different from those of any other
	transcript *transcript
	time       *timeline
	wait       func(context.Context, time.Duration) error
	interval   time.Duration // between two polls of an invoice
	own        *app.Stack    // of a sandbox; nil at a provider
	client     *seqr.Client  // administers the terminal; the workers have their own

	bus       *bus.Bus
	terminal  seqr.Principal
	orders    int
	published []events.Key // the orders, to cancel those that are open at the end
	tests     []Test
}

// shop is the shop of the procedure's orders.
const shop = "certify"

// part is one test of the procedure.
type part struct {
	name string
	do   func(*exam, context.Context)
}

// paymentTests are the tests that both procedures have; the workers run meanwhile.
func paymentTests() []part {
	return []part{
		{"sendInvoice", sendInvoice},
		{"getPaymentStatus", getPaymentStatus},
		{"submitPaymentReceipt", submitPaymentReceipt},
		{"cancelInvoice", cancelInvoice},
		{"refundPayment", refundPayment},
		{"markTransactionPeriod", markTransactionPeriod},
	}
}

// procedure runs the tests in order.
func (r *run) procedure(ctx context.Context) error {
	for _, w := range r.warnings() {
		if r.Observer != nil {
			r.Observer.Waiting("warning: " + w)
		}
	}
	if r.Procedure == Webshop {
		r.terminal = r.Provider.Terminal
		return r.withWorkers(ctx, func(ctx context.Context) { r.test(ctx, paymentTests()) })
	}
	r.test(ctx, []part{{"registerTerminal", registerTerminal}, {"assignSeqrId", assignSeqrID}})
	if r.terminal.ID == "" {
		all := paymentTests()
		for i := range all {
			all[i].do = noTerminal
		}
		r.test(ctx, append(all, part{"unregisterTerminal", noTerminal}))
		return nil
	}
	err := r.withWorkers(ctx, func(ctx context.Context) { r.test(ctx, paymentTests()) })
	// Whatever became of the tests: no terminal is left behind.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Patience)
	defer cancel()
	r.test(ctx, []part{{"unregisterTerminal", unregisterTerminal}})
	return err
}

func (r *run) test(ctx context.Context, parts []part) {
	for _, p := range parts {
		e := &exam{run: r, test: Test{N: len(r.tests) + 1, Name: p.name, Steps: []Step{}}}
		if r.Observer != nil {
			r.Observer.TestStarted(e.test)
		}
		p.do(e, ctx)
		e.test.Passed = len(e.test.Steps) > 0 && !e.failed
		r.tests = append(r.tests, e.test)
	}
}

// withWorkers runs a broker and the workers on a fresh folder, and the tests against them. When ctx ends
// early the tests are over, but the workers still cancel what is open.
func (r *run) withWorkers(ctx context.Context, do func(context.Context)) (err error) {
	folder, err := os.MkdirTemp("", "seqrflow-certify-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	living, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	b, stack, err := r.start(living, r.options(folder))
	if err != nil {
		return err
	}
	r.bus = b
	testing, breakOff := context.WithCancelCause(ctx)
	defer breakOff(nil)
	failed := r.watch(living, stack, breakOff)
	do(testing)
	r.cancelOpen(living)
	end()
	return errors.Join(failed(), stack.Stop())
}

// watch adds what the workers record to the transcript, and breaks off the tests when the workers fail. The function that it
// gives waits until both have ended.
func (r *run) watch(ctx context.Context, stack workers, breakOff context.CancelCauseFunc) func() error {
	var g errgroup.Group
	broken := func(err error) error {
		if err != nil {
			breakOff(err)
		}
		return err
	}
	g.Go(func() error { return broken(stack.Wait()) })
	g.Go(func() error {
		streams := []bus.Source{{Stream: events.InvoicesStream, All: true}, {Stream: events.ParkedStream, All: true}}
		err := r.bus.Follow(ctx, streams, nil, r.transcript.add)
		if ctx.Err() != nil {
			return nil
		}
		return broken(err)
	})
	return g.Wait
}

func (r *run) options(folder string) app.Options {
	as := r.Provider.Reseller
	o := app.Private(r.ClientID, r.Log)
	o.ClientReference, o.Provider, o.ProviderHTTP, o.ProviderTest = r.ClientReference, r.Provider.Endpoint, r.Provider.AllowHTTP, true
	o.PollInterval, o.ValidFor = r.interval, 4*r.Patience+time.Minute // longer than any test takes
	o.ShopList = app.ShopList{shop: {Terminal: r.terminal.ID, Password: r.terminal.Password, Reseller: as.ID, ResellerUser: as.UserID, ResellerPassword: as.Password}}
	o.Targets = []string{"natsd", "invoicer", "poller", "receipter", "canceler", "refunder", "reconciler"}
	o.Data, o.Recorder, o.NATSListen = folder, r.transcript, "" // no other process needs the broker
	return o
}

// cancelTime is how long the workers may take to cancel what the tests have left open.
const cancelTime = 5 * time.Second

// cancelOpen cancels what the tests have left open. It is no test: what does not work here has failed a test before.
func (r *run) cancelOpen(ctx context.Context) {
	r.transcript.mu.Lock()
	open := r.open()
	r.transcript.mu.Unlock()
	for _, k := range open {
		if err := r.cancel(ctx, k); err != nil {
			r.Log.Warn().Err(err).Str("invoice", k.Invoice).Msg("an open invoice of the procedure is not canceled")
		}
	}
	err := r.transcript.waitFor(ctx, min(cancelTime, r.Patience), func() (bool, error) { return len(r.open()) == 0, nil })
	if err != nil {
		r.Log.Warn().Err(err).Msg("some invoices of the procedure are still open at the provider")
	}
}

// last gives an invoice as of its last event; the transcript is locked.
func (r *run) last(k events.Key) (inv events.Invoice, known bool) {
	for _, i := range r.transcript.invoices {
		if i.Key() == k {
			inv, known = i, true
		}
	}
	return inv, known
}

// open gives the orders whose invoices are open; the transcript is locked.
func (r *run) open() (keys []events.Key) {
	for _, k := range r.published {
		if inv, known := r.last(k); known && inv.State.Open() {
			keys = append(keys, k)
		}
	}
	return keys
}

// noReseller is the warning if a webshop's terminal has to close its own period.
const noReseller = "no reseller is given, so the terminal closes its own period; the provider's description has a reseller's user do it, " +
	"and its examiner may refuse test 6"

func (r *run) warnings() []string {
	if r.Provider.Reseller.ID == "" {
		return []string{noReseller}
	}
	return nil
}

func (r *run) report(begun time.Time) Report {
	rep := Report{
		Result: Result{Procedure: r.Procedure, Tests: r.tests, Warnings: r.warnings()}, Started: begun.UTC(), Ended: time.Now().UTC(), Program: r.Program,
		Endpoint: r.Provider.Endpoint, Sandbox: r.own != nil, ClientID: r.ClientID, ClientReference: r.ClientReference, Terminal: r.terminal.ID,
	}
	rep.Passed = len(r.tests) > 0 && !slices.ContainsFunc(r.tests, func(t Test) bool { return !t.Passed })
	for _, x := range r.transcript.list(func(*recorded) bool { return true }) {
		rep.Exchanges = append(rep.Exchanges, exchangeOf(x))
	}
	return rep
}
