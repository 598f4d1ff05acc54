package poller_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// spy passes every call on and notes the questions.
type spy struct {
	*seqr.Client
	mu    sync.Mutex
	asked []seqr.GetPaymentStatus
	each  chan struct{}
	fail  error
}

func newSpy(c *seqr.Client) *spy { return &spy{Client: c, each: make(chan struct{}, 10_000)} }

func (s *spy) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	err := s.fail
	s.mu.Unlock()
	defer func() { s.each <- struct{}{} }()
	if err != nil {
		return seqr.PaymentStatus{}, err
	}
	return s.Client.GetPaymentStatus(ctx, r)
}

func (s *spy) breakWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *spy) await(n int) {
	for range n {
		<-s.each
	}
}

func (s *spy) versions() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var v []int
	for _, a := range s.asked {
		v = append(v, a.Version)
	}
	return v
}

// issue makes an invoice at the sandbox and records it, as the invoicer does.
func issue(t *testing.T, r *rig.Rig, id string) (ref string) {
	t.Helper()
	ref = bill(t, r, id)
	record(t, r, id, ref)
	return ref
}

func bill(t *testing.T, r *rig.Rig, id string) (ref string) {
	t.Helper()
	as, _ := rig.Shops{}.Terminal(rig.Shop)
	sent, err := r.Client.SendInvoice(t.Context(), seqr.SendInvoice{As: as, Invoice: seqr.Invoice{
		ClientInvoiceID: id, Total: seqr.Amount{Currency: "SEK", Value: rig.Amount("10").Decimal()}}})
	if err != nil {
		t.Fatal(err)
	}
	return sent.Reference
}

func record(t *testing.T, r *rig.Rig, id, ref string) {
	t.Helper()
	o := rig.Order(id, "10")
	_, err := r.Bus.Update(t.Context(), "invoicer", o.Key(), func(i events.Invoice) (events.Invoice, error) {
		return i.IssuedAs(o, events.Bill{Terminal: "demo-terminal", Reference: ref, ValidFor: time.Hour}, events.Fact{At: r.Bus.Now(), Why: "test"})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func pay(t *testing.T, r *rig.Rig, ref string) {
	t.Helper()
	if err := r.Sandbox.Pay(ref); err != nil {
		t.Fatal(err)
	}
}

func config(r *rig.Rig, p poller.Provider) poller.Config {
	return poller.Config{Bus: r.Bus, Provider: p, Shops: rig.Shops{}, Interval: 100 * time.Millisecond, Log: r.Log}
}

func TestVersionReceivedIsTheVersionSent(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	p := newSpy(r.Client)
	r.Run(poller.New(config(r, p)))
	ref := issue(t, r, "1")
	p.await(2)
	if err := r.Sandbox.Scan(ref); err != nil {
		t.Fatal(err)
	}
	pay(t, r, ref)
	if inv := r.Wait("1", events.EventPaid); inv.ErsReference == "" || inv.Late {
		t.Errorf("%+v", inv)
	}
	v := p.versions()
	if v[0] != 0 || !slices.IsSorted(v) {
		t.Errorf("versions %v; the first is 0 and each later one the last received", v)
	}
}

// lastPaid gives the place in the stream of the last payment of the invoices that a prefix names.
func lastPaid(t *testing.T, r *rig.Rig, prefix string) (last uint64) {
	t.Helper()
	_, err := r.Bus.Scan(t.Context(), bus.Scan{Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.paid"}}, func(m bus.Scanned) error {
		if strings.HasPrefix(m.Subject, "invoices."+rig.Shop+"."+prefix) {
			last = m.Seq
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// expectHintedFirst: without hints, ten invoices are spread over an interval of 4 s, so the last of the
// hinted ones comes before the last of the others.
func expectHintedFirst(t *testing.T, r *rig.Rig) {
	t.Helper()
	for i := range 10 {
		r.Wait(fmt.Sprint("hinted", i), events.EventPaid)
		r.Wait(fmt.Sprint("plain", i), events.EventPaid)
	}
	if h, p := lastPaid(t, r, "hinted"), lastPaid(t, r, "plain"); h > p {
		t.Errorf("the last hinted payment is event %d, the last other %d", h, p)
	}
}

func TestHintBringsThePollForward(t *testing.T) {
	r := rig.New(t, sandbox.Config{Reversal: time.Hour})
	cfg := config(r, r.Client)
	cfg.Interval = 4 * time.Second
	r.Run(poller.New(cfg))
	for i := range 10 {
		for _, name := range []string{"hinted", "plain"} {
			pay(t, r, issue(t, r, fmt.Sprint(name, i)))
		}
		if err := r.Bus.Hint(events.KeyOf(rig.Shop, fmt.Sprint("hinted", i))); err != nil {
			t.Fatal(err)
		}
	}
	expectHintedFirst(t, r)
}

func TestHintBeforeTheInvoiceIsHeldIsNotLost(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	cfg := config(r, r.Client)
	cfg.Interval = 4 * time.Second
	r.Run(poller.New(cfg))
	pay(t, r, issue(t, r, "up")) // the poller is up once it has recorded this one
	r.Wait("up", events.EventPaid)
	for i := range 10 {
		if err := r.Bus.Hint(events.KeyOf(rig.Shop, fmt.Sprint("hinted", i))); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"hinted", "plain"} { // paid before the poller hears of it
			id := fmt.Sprint(name, i)
			ref := bill(t, r, id)
			pay(t, r, ref)
			record(t, r, id, ref)
		}
	}
	expectHintedFirst(t, r)
}

func TestStoppedPollerLeavesItsInvoicesToAnother(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	first := newSpy(r.Client)
	stop := r.Run(poller.New(config(r, first)))
	var refs []string
	for i := range 20 {
		refs = append(refs, issue(t, r, fmt.Sprint(i)))
	}
	first.await(40)
	stop()
	for _, ref := range refs {
		pay(t, r, ref)
	}
	r.Run(poller.New(config(r, r.Client)))
	for i := range refs {
		r.Wait(fmt.Sprint(i), events.EventPaid)
	}
	r.Idle()
	if l := r.Sandbox.Ledger(); len(l.Reversals) != 0 {
		t.Errorf("%d reversals", len(l.Reversals))
	}
}

func TestTwoPollersRecordAPaymentOnce(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	r.Run(poller.New(config(r, r.Client)))
	r.Run(poller.New(config(r, r.Client)))
	for i := range 20 {
		pay(t, r, issue(t, r, fmt.Sprint(i)))
	}
	for i := range 20 {
		r.Wait(fmt.Sprint(i), events.EventPaid)
	}
	r.Idle()
	for i := range 20 {
		if h := r.History(fmt.Sprint(i)); !slices.Equal(h, []events.Name{events.EventIssued, events.EventPaid}) {
			t.Errorf("%v", h)
		}
	}
}

func TestPollingOutlastsAProviderThatFails(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	p := newSpy(r.Client)
	p.breakWith(&seqr.Error{Operation: "getPaymentStatus", Sent: seqr.Answered, Code: seqr.SystemError})
	reg := prometheus.NewRegistry()
	cfg := config(r, p)
	cfg.Metrics = reg
	r.Run(poller.New(cfg))
	ref := issue(t, r, "1")
	p.await(5)
	p.breakWith(nil)
	pay(t, r, ref)
	r.Wait("1", events.EventPaid)
	r.Idle()
	if r.Parked() != 0 {
		t.Error("parked")
	}
}

func TestLatePaymentIsRecordedAsLate(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	ref := issue(t, r, "1")
	_, err := r.Bus.Update(t.Context(), "canceler", events.KeyOf(rig.Shop, "1"), func(i events.Invoice) (events.Invoice, error) {
		return i.EndedBy(events.EventCanceled, "canceler", events.Fact{At: r.Bus.Now(), Why: "test"})
	})
	if err != nil {
		t.Fatal(err)
	}
	pay(t, r, ref)
	r.Run(poller.New(config(r, r.Client)))
	if inv := r.Wait("1", events.EventPaid); !inv.Late || inv.Change.From != events.Canceled {
		t.Errorf("%+v", inv)
	}
}

// nameless says PAID without the payment's name the first time.
type nameless struct {
	*seqr.Client
	asked int
}

func (n *nameless) GetPaymentStatus(context.Context, seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	st := seqr.PaymentStatus{Status: seqr.StatusPaid}
	if n.asked++; n.asked > 1 {
		st.ErsReference = "ers"
	}
	return st, nil
}

func TestPaidWithoutTheNameOfThePaymentIsAskedAgain(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	record(t, r, "1", "ref")
	r.Run(poller.New(config(r, &nameless{Client: r.Client})))
	if inv := r.Wait("1", events.EventPaid); inv.ErsReference != "ers" {
		t.Errorf("recorded as final without an ersReference: %+v", inv)
	}
}

// open counts the questions about one invoice; every invoice is unpaid.
type open struct {
	*seqr.Client
	reference string
	asked     chan struct{}
}

func (o *open) GetPaymentStatus(_ context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	if r.InvoiceReference == o.reference {
		select {
		case o.asked <- struct{}{}:
		default:
		}
	}
	return seqr.PaymentStatus{Status: seqr.StatusIssued}, nil
}

// A broker that is full answers, and stores nothing: what cannot be recorded must not keep the others from being polled.
func TestPollingOutlastsABrokerThatTakesNothing(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	for i := range 20 {
		o := rig.Order(fmt.Sprint("due", i), "10")
		if _, err := r.Bus.Update(t.Context(), "invoicer", o.Key(), func(v events.Invoice) (events.Invoice, error) {
			return v.IssuedAs(o, events.Bill{Terminal: "demo-terminal", Reference: o.OrderID, ValidFor: time.Millisecond}, events.Fact{At: r.Bus.Now(), Why: "test"})
		}); err != nil {
			t.Fatal(err)
		}
	}
	record(t, r, "open", "open")
	full(t, r)
	p := &open{Client: r.Client, reference: "open", asked: make(chan struct{})}
	c := config(r, p)
	c.Concurrency = 4
	r.Run(poller.New(c))
	patience := time.After(rig.Patience)
	for n := range 30 {
		select {
		case <-p.asked:
		case <-patience:
			t.Fatalf("polled %d times, and then no more", n)
		}
	}
}

// ended records invoices that were paid long ago.
func ended(t *testing.T, r *rig.Rig, n int) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(32)
	for i := range n {
		g.Go(func() error {
			o := rig.Order(fmt.Sprint("old", i), "10")
			_, err := r.Bus.Update(t.Context(), "invoicer", o.Key(), func(v events.Invoice) (events.Invoice, error) {
				return v.IssuedAs(o, events.Bill{Terminal: "demo-terminal", Reference: o.OrderID, ValidFor: time.Hour}, events.Fact{At: r.Bus.Now(), Why: "test"})
			})
			if err != nil {
				return err
			}
			_, err = r.Bus.Update(t.Context(), poller.Name, o.Key(), func(v events.Invoice) (events.Invoice, error) {
				return v.PaidWith("ers", poller.Name, events.Fact{At: r.Bus.Now(), Why: "test"})
			})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// A consumer that is new, as when shops are shared out anew, is given every invoice there ever was. The provider is
// asked about the open one alone.
func TestNewConsumerAsksNothingAboutWhatHasEnded(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	ended(t, r, 1200)
	ref := issue(t, r, "open")
	p := newSpy(r.Client)
	c := config(r, p)
	c.Only = []string{rig.Shop}
	r.Run(poller.New(c))
	pay(t, r, ref)
	r.Wait("open", events.EventPaid)
	r.Idle()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.asked {
		if a.InvoiceReference != ref {
			t.Fatalf("asked about %s, which was paid long ago", a.InvoiceReference)
		}
	}
}

// full makes the broker refuse every further event of an invoice.
func full(t *testing.T, r *rig.Rig) {
	t.Helper()
	s, err := r.Bus.JetStream().Stream(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = int64(s.CachedInfo().State.Msgs)
	if _, err := r.Bus.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}
