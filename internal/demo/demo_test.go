package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBuiltInScenariosEndAsTheySay(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var log bytes.Buffer
	parked := 0
	codes, shown, paid := 0, events.Key{}, false // the code that is shown is one that gets paid
	r, err := Run(t.Context(), Config{
		Seed: 7, Log: zerolog.New(&log).Level(zerolog.ErrorLevel),
		Event: func(e bus.Entry) {
			if e.Stream == events.ParkedStream {
				parked++
			}
			if inv, err := events.DecodeInvoice(e.Body); e.Stream == events.InvoicesStream && err == nil && codes == 1 && inv.Key() == shown {
				paid = paid || inv.Change.Event == events.EventPaid
			}
		},
		Issued: func(inv events.Invoice) {
			if strings.HasPrefix(inv.QRCode, "HTTP://SEQR.SE/R") {
				codes++
			}
			shown = inv.Key()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Seconds <= 0 {
		t.Errorf("it took %v s", r.Seconds)
	}
	r.Seconds = 0
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"orders":34,"states":{"CANCELED":4,"EXPIRED":2,"FAILED":1,"RECEIPTED":21,"REFUNDED":5},"parked":2,"reversals":0,"unexpected":[],"balances":[` +
		`{"shop":"bücher-eck","currency":"EUR","paid":"397.30","refunded":"232.30","net":"165.00","providerNet":"165.00","difference":"0.00"},` +
		`{"shop":"fjellsport","currency":"NOK","paid":"11521.00","refunded":"5722.00","net":"5799.00","providerNet":"5799.00","difference":"0.00"},` +
		`{"shop":"grönsakshandeln","currency":"SEK","paid":"1715.40","refunded":"1140.00","net":"575.40","providerNet":"575.40","difference":"0.00"},` +
		`{"shop":"kafferosteriet","currency":"SEK","paid":"2617.80","refunded":"89.00","net":"2528.80","providerNet":"2528.80","difference":"0.00"},` +
		`{"shop":"lyktboden","currency":"SEK","paid":"902.30","refunded":"0","net":"902.30","providerNet":"902.30","difference":"0.00"},` +
		`{"shop":"strikkestua","currency":"NOK","paid":"1054.65","refunded":"0","net":"1054.65","providerNet":"1054.65","difference":"0.00"}],"seconds":0}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if !r.Good() || parked != 2 || codes != 1 || !paid || log.Len() > 0 {
		t.Errorf("good %v, %d parked seen, %d codes shown, paid %v, log %s", r.Good(), parked, codes, paid, log.String())
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBuiltInOrdersShowEachFeature(t *testing.T) {
	t.Parallel()
	scenarios, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	shops, buyers, currencies := map[string]bool{}, map[string]bool{}, map[string]bool{}
	rows, malformed := map[int]bool{}, 0
	for _, s := range scenarios {
		if s.malformed() {
			malformed++
			continue
		}
		for _, st := range s.steps {
			if !strings.HasSuffix(st.subject, ".placed") {
				continue
			}
			o, err := events.DecodeOrder(events.Message{Subject: st.subject, Body: st.body})
			if err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			shops[o.Shop], currencies[o.Currency], rows[len(o.Rows)], buyers[s.buyer] = true, true, true, true
		}
	}
	if len(scenarios) < 24 || malformed != 2 || len(shops) < 3 || !rows[1] || !rows[12] || len(buyers) != 5 ||
		!currencies["SEK"] || !currencies["EUR"] || !currencies["NOK"] {
		t.Errorf("%d scenarios, %d malformed, shops %v, rows %v, buyers %v, currencies %v", len(scenarios), malformed, shops, rows, buyers, currencies)
	}
}

const ordersFile = `{"shop":"acme","orderId":"1","currency":"SEK","total":"10.00","rows":[{"description":"a","quantity":"1","total":"10.00"}]}
{"type":"placed","shop":"acme","orderId":"2","currency":"USD","total":"10.00","rows":[{"description":"a","quantity":"1","total":"10.00"}]}
{"type":"returned","shop":"acme","orderId":"2","refundId":"r","amount":"4.00"}
{"type":"order.placed","data":{"shop":"b c","orderId":"3","currency":"JPY","total":"1000","rows":[{"description":"a","quantity":1,"total":"1000"}]}}
{"type":"canceled","shop":"b c","orderId":"4"}
{"shop":"acme","orderId":"5","currency":"SEK","total":10,"rows":[{"description":"a","quantity":"1","total":"10.00"}]}
`

func TestFileOfOrdersIsPlayed(t *testing.T) {
	t.Parallel()
	r, err := Run(t.Context(), Config{Orders: strings.NewReader(ordersFile), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	states := map[events.State]int{events.Receipted: 3, events.Canceled: 1}
	if !r.Good() || r.Orders != 5 || r.Parked != 1 || len(r.Balances) != 3 || cmp.Diff(states, r.States) != "" {
		t.Errorf("%+v", r)
	}
}

func TestFileWithAnUncertainEndIsRefused(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":       "there is no order in it",
		`{"a":1`: "line 1",
		`{"type":"returned","shop":"a","orderId":"1","refundId":"r"}`:  "not placed",
		ordersFile + `{"type":"canceled","shop":"acme","orderId":"2"}`: "canceled too",
	} {
		if _, err := Run(t.Context(), Config{Orders: strings.NewReader(in)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, expected %q", in, err, want)
		}
	}
}

func TestInterruptedDemoFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, Config{Log: zerolog.Nop(), Issued: func(events.Invoice) { cancel() }})
	if err == nil || !strings.Contains(err.Error(), "broken off") {
		t.Errorf("got %v", err)
	}
}

func TestScenarioEndsWithItsStateAndAllItsRefunds(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 0)
	refund := func(id string, s events.RefundStatus) events.Refund {
		r := events.Refund{RefundID: id, Status: s}
		if s == events.RefundDone || s == events.RefundFailed {
			r.SettledAt = &at
		}
		return r
	}
	inv := func(s events.State, rs ...events.Refund) events.Invoice { return events.Invoice{State: s, Refunds: rs} }
	plain := &scenario{ends: []events.State{events.Receipted}}
	returned := &scenario{ends: []events.State{events.Receipted}, refunds: map[string]events.RefundStatus{"a": events.RefundDone, "b": events.RefundFailed}}
	settled := &scenario{ends: []events.State{events.Receipted, events.Refunded}, refunds: map[string]events.RefundStatus{"a": ""}}
	for _, c := range []struct {
		s    *scenario
		inv  events.Invoice
		want bool
	}{
		{plain, inv(events.Paid), false},
		{plain, inv(events.Receipted), true},
		{plain, inv(events.Receipted, refund("x", events.RefundSending)), false},
		{returned, inv(events.Receipted), false},
		{returned, inv(events.Receipted, refund("a", events.RefundDone)), false},
		{returned, inv(events.Receipted, refund("a", events.RefundDone), refund("b", events.RefundDone)), false},
		{returned, inv(events.Receipted, refund("a", events.RefundDone), refund("b", events.RefundFailed)), true},
		{settled, inv(events.Refunded, refund("a", events.RefundUnknown)), false},
		{settled, inv(events.Refunded, refund("a", events.RefundFailed)), true},
		{settled, inv(events.Canceled, refund("a", events.RefundDone)), false},
	} {
		if got := c.s.endsAs(c.inv); got != c.want {
			t.Errorf("%s with %+v: endsAs is %v", c.s.expected(), c.inv, got)
		}
	}
}

func TestUnexpectedEndIsReported(t *testing.T) {
	t.Parallel()
	scenarios, err := fromFile(strings.NewReader(ordersFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		switch s.name {
		case "acme/1":
			s.buyer = "" // does nothing, and the scenario says that it is paid
		case "acme/5":
			s.ends = []events.State{events.Receipted} // is malformed, and the scenario says that it is receipted
		}
	}
	r, err := run(t.Context(), Config{Orders: strings.NewReader(""), Log: zerolog.Nop()}, scenarios, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, u := range r.Unexpected {
		named[u.Order], _, _ = strings.Cut(u.Got, " ")
	}
	want := map[string]string{"acme/1": "ISSUED", "acme/5": "NONE", "orders.acme.5.placed": "total:"}
	if diff := cmp.Diff(want, named); diff != "" || r.Good() {
		t.Error(diff)
	}
}

// What a shop's own system has other than one payment through its API is unexpected.
func TestPaymentsInAShopsOwnSystem(t *testing.T) {
	t.Parallel()
	paid := shopsim.Effect{Kind: shopsim.EffectPaid, By: "api"}
	again, byHand := shopsim.Effect{Kind: shopsim.EffectPaidAgain, By: "api"}, shopsim.Effect{Kind: shopsim.EffectPaid, By: "person"}
	for what, c := range map[string]struct {
		status   string
		payments []shopsim.Effect
		err      error
		good     bool
	}{
		"paid once":    {"processing", []shopsim.Effect{paid}, nil, true},
		"never":        {"processing", nil, nil, false},
		"twice":        {"processing", []shopsim.Effect{paid, again}, nil, false},
		"by hand":      {"processing", []shopsim.Effect{byHand}, nil, false},
		"still open":   {"pending", []shopsim.Effect{paid}, nil, false},
		"not in there": {"", nil, shopsim.ErrNoOrder, false},
	} {
		if got := notPaidOnce(c.status, "processing", c.payments, c.err); (got == "") != c.good {
			t.Errorf("%s: %q", what, got)
		}
	}
}

func TestResultIsGoodOnlyWithoutAnyFault(t *testing.T) {
	t.Parallel()
	good := Result{Orders: 1, Balances: []audit.Balance{{Shop: "a"}}}
	if !good.Good() {
		t.Error("a faultless result is not good")
	}
	ore, err := events.ParseAmount("0.01")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Result{
		"reversal":   {Reversals: 1},
		"unexpected": {Unexpected: []Unexpected{{"a/1", "PAID", "FAILED"}}},
		"difference": {Balances: []audit.Balance{{Difference: ore}}},
	} {
		if r.Good() {
			t.Errorf("a result with a %s is good", name)
		}
	}
}
