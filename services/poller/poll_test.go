package poller_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// A result code that says how the invoice ended is an end, as the status would be.
func TestResultCodesThatSayCanceledOrExpiredEndTheInvoice(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	ends := map[seqr.ResultCode]events.Name{
		seqr.InvoiceAlreadyCanceled: events.EventCanceled, seqr.PaymentAlreadyCancelled: events.EventCanceled, seqr.PaymentExpired: events.EventExpired,
	}
	r.Run(poller.New(config(r, newProvider(func(_ context.Context, _ int, q seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
		var code seqr.ResultCode
		_, err := fmt.Sscan(q.InvoiceReference, (*int)(&code))
		if err != nil {
			return seqr.PaymentStatus{}, err
		}
		return seqr.PaymentStatus{}, coded(code)
	}))))
	for code := range ends {
		r.Record(rig.Recorded{ID: fmt.Sprint(int(code)), Reference: fmt.Sprint(int(code))})
	}
	for code, name := range ends {
		inv := r.Wait(fmt.Sprint(int(code)), name)
		if inv.Change.Call == nil || *inv.Change.Call.Code != int(code) || inv.Change.By != poller.Name {
			t.Errorf("%d: %+v", code, inv.Change)
		}
	}
	awaitOpen(t, r.Bus, 0)
}

// Any other code may be answered otherwise the next time.
func TestOtherResultCodesAreAskedAgain(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	codes := []seqr.ResultCode{seqr.SystemError, seqr.SystemBusy, seqr.RejectedBusinessLogic, seqr.PendingApproval, 77}
	p := newProvider(func(_ context.Context, n int, q seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
		if n <= len(codes) {
			return seqr.PaymentStatus{}, coded(codes[n-1])
		}
		return seqr.PaymentStatus{Status: seqr.StatusPaid, ErsReference: "ers"}, nil
	})
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	r.Run(poller.New(config(r, p)))
	r.Wait("1", events.EventPaid)
	if h := r.History("1"); !slices.Equal(h, []events.Name{events.EventIssued, events.EventPaid}) || r.Parked() != 0 {
		t.Errorf("%v, %d parked", h, r.Parked())
	}
}

// Of a provider that says it is busy, the poller tells that it answered.
func TestBusyProviderIsToldFromASilentOne(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	p := always("", coded(seqr.SystemBusy))
	r.Run(poller.New(config(r, p)))
	toldReason := func(want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
		defer cancel()
		missing := rig.Until(ctx, func(ctx context.Context) string {
			asking, stop := context.WithTimeout(ctx, 100*time.Millisecond)
			defer stop()
			told, err := r.Bus.AskStuck(asking, rig.Shop, "1")
			if err != nil || len(told) != 1 || told[0].Reason != want {
				return fmt.Sprintf("expected %s, told %+v, %v", want, told, err)
			}
			return ""
		})
		if missing != "" {
			t.Error(missing)
		}
	}
	p.await(t, "ref", 1)
	toldReason(bus.ReasonBusy)
	p.become(always("", &seqr.Error{Operation: "getPaymentStatus", Sent: seqr.MaybeSent, Err: errors.New("reset")}).answer)
	toldReason(bus.ReasonUnanswered)
}

// An invoice that the provider keeps denying is parked, and polled again when a person sends it back.
func TestInvoiceThatTheProviderKeepsDenyingIsParkedAndCanBeReplayed(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	p := always("", coded(seqr.InvalidInvoiceReference))
	cfg := config(r, p)
	cfg.Interval = 10 * time.Millisecond
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	r.Run(poller.New(cfg))
	parked := r.WaitParked(poller.Name, "1")
	if n := p.times("ref"); n < 60 {
		t.Errorf("given up after %d denials", n)
	}
	for _, want := range []string{"54", "denied", "ref", "demo-terminal"} {
		if !strings.Contains(parked.Reason, want) {
			t.Errorf("the reason lacks %q: %s", want, parked.Reason)
		}
	}
	awaitOpen(t, r.Bus, 0)
	p.become(always(seqr.StatusPaid, nil).answer)
	if err := r.Bus.Replay(t.Context(), bus.ParkedMessage{On: events.ParkedSubject(poller.Name, rig.Shop, "1"), Parked: parked, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	r.Wait("1", events.EventPaid)
	r.Idle()
}

// Credentials that are refused are told at once, once a minute, and the polls go on: a person may mend them.
func TestRefusedCredentialsAreLoggedOnceAndPollingGoesOn(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	said, reg := &logs{}, prometheus.NewRegistry()
	p := always("", coded(seqr.AuthenticationFailed))
	recordAll(t, r, 5, func(i int) rig.Recorded { return rig.Recorded{ID: fmt.Sprint(i), Reference: fmt.Sprint(i)} })
	cfg := config(r, p)
	cfg.Log, cfg.Metrics = said.logger(), reg
	r.Run(poller.New(cfg))
	for i := range 5 {
		p.await(t, fmt.Sprint(i), 3)
	}
	if n := said.count(`"level":"error"`, "demo-terminal"); n != 1 {
		t.Errorf("%d error lines for 15 refused polls", n)
	}
	awaitValue(t, reg, "seqrflow_poller_refused_credentials_total", func(v float64) bool { return v >= 15 })
	p.become(always(seqr.StatusPaid, nil).answer)
	r.Wait("0", events.EventPaid)
}

// The buyer's time is over by the clock, whatever the provider answers or does not.
func TestOverdueIsRecordedWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"silent":  &seqr.Error{Operation: "getPaymentStatus", Sent: seqr.NotSent},
		"refused": coded(seqr.AuthenticationFailed),
	} {
		t.Run(name, func(t *testing.T) {
			r := rig.New(t, sandbox.Config{})
			p := always("", err)
			r.Run(poller.New(config(r, p)))
			r.Record(rig.Recorded{ID: "1", Reference: "ref", ValidFor: time.Millisecond})
			inv := r.Wait("1", events.EventOverdue)
			if inv.Change.By != poller.Name || inv.Change.Call != nil || inv.State != events.Issued {
				t.Errorf("%+v", inv.Change)
			}
			p.await(t, "ref", p.times("ref")+2) // it is polled on
		})
	}
}

// A copy whose clock is an hour ahead expires nothing, and says so; one whose clock is right does.
func TestWrongClockExpiresNothing(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	said := &logs{}
	r.Record(rig.Recorded{ID: "open", Reference: "open", ValidFor: 30 * time.Minute})
	r.Record(rig.Recorded{ID: "over", Reference: "over", ValidFor: time.Millisecond})
	p := always(seqr.StatusIssued, nil)
	cfg := config(r, p)
	cfg.Bus = r.ConnectWith(bus.Config{Clock: func() time.Time { return time.Now().Add(time.Hour) }})
	cfg.Log = said.logger()
	stop := r.Run(poller.New(cfg))
	said.await(t, "nothing expires here")
	p.await(t, "open", p.times("open")+20)
	stop()
	for _, id := range []string{"open", "over"} {
		if h := r.History(id); !slices.Equal(h, []events.Name{events.EventIssued}) {
			t.Errorf("%s: %v", id, h)
		}
	}
	if n := said.count("nothing expires here"); n != 1 {
		t.Errorf("said %d times", n)
	}
	r.Run(poller.New(config(r, p)))
	r.Wait("over", events.EventOverdue)
	if h := r.History("open"); len(h) != 1 {
		t.Errorf("%v", h)
	}
}

// PAID of an invoice that the stream has lost is told, counted and parked with all that is known.
func TestPaymentOfALostInvoiceIsParked(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	said, reg := &logs{}, prometheus.NewRegistry()
	p := always(seqr.StatusIssued, nil)
	cfg := config(r, p)
	cfg.Log, cfg.Metrics = said.logger(), reg
	r.Run(poller.New(cfg))
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	p.await(t, "ref", 2)
	loseInvoices(t, r)
	p.become(always(seqr.StatusPaid, nil).answer)
	parked := r.WaitParked(poller.Name, "1")
	var known map[string]any
	if err := json.Unmarshal([]byte(parked.Original), &known); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{"shop": rig.Shop, "invoiceId": "1", "invoiceReference": "ref", "ersReference": "ers",
		"terminal": "demo-terminal", "amount": "10", "currency": "SEK", "paid": true} {
		if fmt.Sprint(known[field]) != fmt.Sprint(want) && !strings.HasPrefix(fmt.Sprint(known[field]), fmt.Sprint(want)) {
			t.Errorf("%s: %v; want %v", field, known[field], want)
		}
	}
	awaitValue(t, reg, "seqrflow_payments_unrecorded_total", func(v float64) bool { return v == 1 })
	said.await(t, `"level":"error"`, "has PAID")
	awaitOpen(t, r.Bus, 0)
}

// loseInvoices makes the broker forget INVOICES, as a restore of an old backup would.
func loseInvoices(t *testing.T, r *rig.Rig) {
	t.Helper()
	if err := r.JetStream().DeleteStream(t.Context(), events.InvoicesStream); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range bus.Streams(1) {
		if cfg.Name == events.InvoicesStream {
			if _, err := r.JetStream().CreateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A message under the invoice's subjects that no worker has written stops neither polling nor the record of the payment.
func TestForeignEventDoesNotHideAPayment(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	ref := r.IssueDirectly("1")
	r.Raw("invoices."+rig.Shop+".1.paid", []byte(`{"stream":"ORDERS","seq":1}`))
	r.Pay(ref)
	r.Run(poller.New(config(r, r.Client)))
	r.WaitRecorded("1", events.EventPaid)
	awaitOpen(t, r.Bus, 0)
}

// An event of a newer version is left to a newer poller, loudly.
func TestNewerVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	said := &logs{}
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	r.Raw("invoices."+rig.Shop+".1.reserved", newer(t, r, "1"))
	p := always(seqr.StatusPaid, nil)
	cfg := config(r, p)
	cfg.Log = said.logger()
	r.Run(poller.New(cfg))
	r.Record(rig.Recorded{ID: "2", Reference: "other"})
	r.Wait("2", events.EventPaid)
	said.await(t, "newer version")
	if n := p.times("ref"); n != 0 {
		t.Errorf("polled %d times", n)
	}
	awaitOpen(t, r.Bus, 1)
}

// newer is the invoice's last event as a newer major version would write it.
func newer(t *testing.T, r *rig.Rig, id string) []byte {
	t.Helper()
	s, err := r.JetStream().Stream(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	var raw *jetstream.RawStreamMsg
	if raw, err = s.GetLastMsgForSubject(t.Context(), events.KeyOf(rig.Shop, id).All()); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer("invoice.issued.v1", "invoice.reserved.v2", "/seqrflow/invoicer", "/seqrflow/poller").Replace(string(raw.Data)))
}

// A broker that is full answers, and stores nothing: polling goes on, one line a minute tells of it, and the payments are
// recorded when there is room again.
func TestPollingOutlastsABrokerThatTakesNothing(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	const paid = 20
	said := &logs{}
	recordAll(t, r, paid, func(i int) rig.Recorded {
		return rig.Recorded{ID: fmt.Sprint("paid", i), Reference: fmt.Sprint("paid", i)}
	})
	r.Record(rig.Recorded{ID: "open", Reference: "open"})
	recover := full(t, r)
	p := newProvider(func(_ context.Context, _ int, q seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
		if q.InvoiceReference == "open" {
			return seqr.PaymentStatus{Status: seqr.StatusIssued}, nil
		}
		return seqr.PaymentStatus{Status: seqr.StatusPaid, ErsReference: "ers"}, nil
	})
	cfg := config(r, p)
	cfg.Concurrency, cfg.Log = 4, said.logger()
	r.Run(poller.New(cfg))
	p.await(t, "open", 20)
	p.await(t, "paid0", 5)
	if n := said.count(`"level":"error"`); n != 1 {
		t.Errorf("%d error lines", n)
	}
	for id, want := range map[string]bus.Stuck{
		"paid0": {Reason: bus.ReasonBroker, Why: "the provider says PAID, and that is not recorded: "},
		"open":  {Reason: bus.ReasonWaiting, Why: "the provider says ISSUED"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
		missing := rig.Until(ctx, func(ctx context.Context) string {
			question, end := context.WithTimeout(ctx, 200*time.Millisecond) // the answers of that time
			defer end()
			told, err := r.Bus.AskStuck(question, rig.Shop, id)
			if err != nil || len(told) != 1 || told[0].Reason != want.Reason || !strings.HasPrefix(told[0].Why, want.Why) {
				return fmt.Sprintf("%v, told %+v", err, told)
			}
			return ""
		})
		cancel()
		if missing != "" {
			t.Errorf("%s: %s", id, missing)
		}
	}
	recover()
	for i := range paid {
		r.Wait(fmt.Sprint("paid", i), events.EventPaid)
	}
	awaitOpen(t, r.Bus, 1)
}
