package woocommerce_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// shop is a stand-in of a WooCommerce shop with one order of 125 SEK.
type shop struct {
	t testing.TB
	*shopsim.Woo
	url   string
	out   *woocommerce.Outbound
	order int64
}

func openShop(t testing.TB, cfg shopsim.WooConfig) *shop {
	t.Helper()
	woo := shopsim.NewWoo(cfg)
	server := httptest.NewServer(woo)
	t.Cleanup(server.Close)
	t.Cleanup(woo.Close)
	s := &shop{t: t, Woo: woo, url: server.URL}
	s.out = &woocommerce.Outbound{Client: s.client("ck_demo", "cs_demo"), PaymentMethods: []string{"seqr"}}
	s.order = woo.Place(shopsim.Cart{Items: []shopsim.Item{{Name: "Mug", Price: "100.00", TaxRate: "25"}}}).ID
	return s
}

func (s *shop) client(key, secret string) *woocommerce.Client {
	s.t.Helper()
	c, err := woocommerce.NewClient(s.url, key, secret, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// notice is an event of the order's first invoice, changed as the test wants it.
func (s *shop) notice(name events.Name, change func(*events.Invoice)) commerce.Notice {
	id := strconv.FormatInt(s.order, 10)
	inv := events.Invoice{Shop: "acme", OrderID: id, InvoiceID: id, Currency: "SEK", Total: amount("125"), ErsReference: "ers-1",
		Change: events.Change{Event: name, By: "poller"}}
	if change != nil {
		change(&inv)
	}
	return commerce.Notice{ID: "event-1", Name: name, Invoice: inv, At: time.Now(), Withdrawn: inv.Change.By == string(events.ActorCanceler)}
}

func amount(s string) events.Amount {
	a, err := events.ParseAmount(s)
	if err != nil {
		panic(err)
	}
	return a
}

// effects are those that came through the API, in words.
func (s *shop) effects() (list []string) {
	for _, e := range s.Effects(s.order) {
		if e.By == "api" {
			list = append(list, e.Kind+" "+e.Detail)
		}
	}
	return list
}

func by(actor events.Actor) func(*events.Invoice) {
	return func(inv *events.Invoice) { inv.Change.By, inv.Reason = string(actor), "because of <b>x" }
}

func refunded(id, detail string) func(*events.Invoice) {
	return func(inv *events.Invoice) {
		inv.Change.RefundID = id
		inv.Refunds = []events.Refund{{RefundID: id, Amount: amount("10"), ErsReference: "ers-9", Detail: detail}}
	}
}

type outboundCase struct {
	name   string
	before func(*shop) // what happened in the shop
	event  events.Name
	change func(*events.Invoice)
	want   commerce.Status
	status string   // of the order afterwards
	effect []string // beginnings of the effects through the API
}

func status(to string) func(*shop) {
	return func(s *shop) {
		if err := s.SetStatus(s.order, to); err != nil {
			s.t.Fatal(err)
		}
	}
}

func edit(change func(*shopsim.WooOrder)) func(*shop) {
	return func(s *shop) {
		if err := s.Edit(s.order, change); err != nil {
			s.t.Fatal(err)
		}
	}
}

var outboundCases = []outboundCase{
	{"paid", nil, events.EventPaid, nil, commerce.Delivered, "processing", []string{"transaction ers-1", "status processing", "paid "}},
	{"paid while on hold", status("on-hold"), events.EventPaid, nil, commerce.Delivered, "processing", []string{"transaction ers-1", "status processing", "paid "}},
	{"paid after a failed try", status("failed"), events.EventPaid, nil, commerce.Delivered, "processing", []string{"transaction ers-1", "status processing", "paid "}},
	{"paid, but a person has completed it", status("completed"), events.EventPaid, nil, commerce.Delivered, "completed",
		[]string{"note A payment of 125.00 SEK arrived, but the order is marked as paid already"}},
	{"paid, but it was cancelled", status("cancelled"), events.EventPaid, nil, commerce.Delivered, "cancelled",
		[]string{"note A payment of 125.00 SEK arrived, but the order is cancelled by now"}},
	{"paid, but another sum is due by now", edit(func(o *shopsim.WooOrder) {
		o.FeeLines = append(o.FeeLines, shopsim.WooCharge{Name: "Fee", Total: "5.00"})
	}),
		events.EventPaid, func(inv *events.Invoice) { inv.Total = amount("120") }, commerce.Delivered, "pending", []string{"note A payment of 120.00 SEK arrived, but the order is of"}},
	{"paid, but in another currency", nil, events.EventPaid, func(inv *events.Invoice) { inv.Currency = "NOK" }, commerce.Delivered, "pending",
		[]string{"note A payment of 125.00 NOK arrived, but the order is of 125.00 SEK"}},
	{"paid late", nil, events.EventPaid, func(inv *events.Invoice) { inv.Late = true }, commerce.Delivered, "pending", []string{"note A payment of 125.00 SEK came after the invoice had ended"}},
	{"canceled by the buyer", nil, events.EventCanceled, by(events.ActorPoller), commerce.Delivered, "failed",
		[]string{"status failed", "note The payment with SEQR has ended: canceled. because of bx. [event-1]"}},
	{"canceled with the order", status("on-hold"), events.EventCanceled, by(events.ActorCanceler), commerce.Delivered, "cancelled",
		[]string{"status cancelled", "note The payment with SEQR has ended: canceled."}},
	{"canceled in the shop", status("cancelled"), events.EventCanceled, by(events.ActorCanceler), commerce.Delivered, "cancelled", []string{"note The payment with SEQR has ended: canceled."}},
	{"expired", nil, events.EventExpired, nil, commerce.Delivered, "failed", []string{"status failed", "note The payment with SEQR has ended: expired."}},
	{"failed", nil, events.EventFailed, nil, commerce.Delivered, "failed", []string{"status failed", "note The payment with SEQR has ended: failed."}},
	{"rejected", nil, events.EventRejected, nil, commerce.Delivered, "failed", []string{"status failed", "note The payment with SEQR has ended: rejected."}},
	{"expired, but a person has completed it", status("completed"), events.EventExpired, nil, commerce.Delivered, "completed", []string{"note The payment with SEQR has ended: expired."}},
	{"expired, but the buyer pays by card", edit(func(o *shopsim.WooOrder) { o.PaymentMethod = "card" }), events.EventExpired, nil, commerce.Skipped, "pending", nil},
	{"refunded elsewhere", status("completed"), events.EventRefunded, refunded("api-7", ""), commerce.Delivered, "completed",
		[]string{`note Refund api-7 of 10.00 SEK was paid back. Reference ers-9. It was not asked for in this shop. To enter it here, make a manual refund with the reason "seqrflow api-7"`}},
	{"refund failed", status("completed"), events.EventRefundFailed, refunded("726", "too old"), commerce.Delivered, "completed",
		[]string{"note Refund 726 of 10.00 SEK was not paid back. too old. [event-1]"}},
	{"refund unknown", status("completed"), events.EventRefundUnknown, refunded("726", ""), commerce.Delivered, "completed",
		[]string{"note Refund 726 of 10.00 SEK: it is not known whether it was paid back."}},
	{"an event of no interest", nil, events.EventReceipted, nil, commerce.Skipped, "pending", nil},
	{"an order from elsewhere", nil, events.EventPaid, func(inv *events.Invoice) { inv.OrderID = "erp-1" }, commerce.Skipped, "pending", nil},
	{"an order that the shop does not know, ended", nil, events.EventExpired, func(inv *events.Invoice) { inv.OrderID = "999" }, commerce.Skipped, "pending", nil},
	{"an order that the shop does not know, paid", nil, events.EventPaid, func(inv *events.Invoice) { inv.OrderID = "999" }, commerce.Refused, "pending", nil},
}

// TestDeliver delivers each notice three times; the second and third change nothing.
func TestDeliver(t *testing.T) {
	for _, c := range outboundCases {
		t.Run(c.name, func(t *testing.T) {
			s := openShop(t, shopsim.WooConfig{})
			if c.before != nil {
				c.before(s)
			}
			n := s.notice(c.event, c.change)
			for range 3 {
				if got := s.out.Deliver(t.Context(), n); got.Status != c.want || got.Detail == "" {
					t.Fatalf("got %+v, want %s", got, c.want)
				}
			}
			s.expect(c)
		})
	}
}

func (s *shop) expect(c outboundCase) {
	s.t.Helper()
	o, err := s.Order(s.order)
	if err != nil || o.Status != c.status {
		s.t.Errorf("status %q (%v), want %q", o.Status, err, c.status)
	}
	got := s.effects()
	ok := len(got) == len(c.effect)
	for i := range min(len(got), len(c.effect)) {
		ok = ok && strings.HasPrefix(got[i], c.effect[i])
	}
	if !ok {
		s.t.Errorf("effects:\n%s", cmp.Diff(c.effect, got))
	}
}

// TestDeliverAtEachFault: whichever request fails, before or after its effect, the notice is tried again and has one effect.
func TestDeliverAtEachFault(t *testing.T) {
	faults := map[string]shopsim.Fault{
		"500 before": {Code: 500}, "503 after": {Code: 503, Effect: true}, "cut off before": {Drop: true}, "cut off after": {Drop: true, Effect: true},
		"a proxy's page": {Code: 200, Body: "<html>Just a moment</html>"}, "a proxy's page after": {Code: 200, Body: "<html>", Effect: true}, "too many": shopsim.RateLimited(1, 7),
	}
	for _, c := range outboundCases {
		if c.want != commerce.Delivered {
			continue
		}
		for name, f := range faults {
			for _, on := range []string{shopsim.OpGetOrder, shopsim.OpUpdateOrder, shopsim.OpListNotes, shopsim.OpCreateNote} {
				t.Run(fmt.Sprintf("%s/%s at %s", c.name, name, on), func(t *testing.T) {
					s := openShop(t, shopsim.WooConfig{})
					if c.before != nil {
						c.before(s)
					}
					n := s.notice(c.event, c.change)
					f.On, f.Times = on, 1
					s.SetFaults(f)
					got := s.out.Deliver(t.Context(), n)
					if got.Status == commerce.Again {
						if name == "too many" && got.After != 7*time.Second {
							t.Errorf("after %s", got.After)
						}
						got = s.out.Deliver(t.Context(), n)
					}
					if got.Status != commerce.Delivered {
						t.Errorf("got %+v", got)
					}
					s.SetFaults()
					s.out.Deliver(t.Context(), n)
					s.expect(c)
				})
			}
		}
	}
}

// TestRefundOfTheShopIsNotedOnce: a refund that was made in the shop comes back as its own, and needs no entry.
func TestRefundOfTheShopIsNotedOnce(t *testing.T) {
	s := openShop(t, shopsim.WooConfig{})
	s.out.Deliver(t.Context(), s.notice(events.EventPaid, nil))
	id, err := s.Refund(s.order, "10.00", "")
	if err != nil {
		t.Fatal(err)
	}
	n := s.notice(events.EventRefunded, refunded(strconv.FormatInt(id, 10), ""))
	for range 2 {
		if got := s.out.Deliver(t.Context(), n); got.Status != commerce.Delivered {
			t.Errorf("got %+v", got)
		}
	}
	notes := s.Effects(s.order, shopsim.EffectNote)
	if len(notes) != 1 || strings.Contains(notes[0].Detail, "manual") {
		t.Errorf("got %+v", notes)
	}
}

// TestSecondTry: a try that ended does not keep a later one from being recorded, and a second payment changes nothing.
func TestSecondTry(t *testing.T) {
	s := openShop(t, shopsim.WooConfig{})
	second := func(inv *events.Invoice) { inv.InvoiceID, inv.ErsReference = inv.InvoiceID+"-2", "ers-2" }
	for i, n := range []commerce.Notice{
		s.notice(events.EventExpired, nil), s.notice(events.EventPaid, second), s.notice(events.EventPaid, nil),
	} {
		n.ID = fmt.Sprint("event-", i)
		if got := s.out.Deliver(t.Context(), n); got.Status != commerce.Delivered {
			t.Fatalf("%d: %+v", i, got)
		}
	}
	o, err := s.Order(s.order)
	if err != nil || o.Status != "processing" || o.TransactionID != "ers-2" {
		t.Errorf("%+v %v", o, err)
	}
	if got := len(s.Effects(s.order, shopsim.EffectPaid)); got != 1 {
		t.Errorf("paid %d times", got)
	}
}

// TestTheEndOfATryIsNotTheOrdersWhileItGoesOn: the shop is told of the first try's end after the buyer has begun another.
func TestTheEndOfATryIsNotTheOrdersWhileItGoesOn(t *testing.T) {
	for _, name := range []events.Name{events.EventCanceled, events.EventExpired, events.EventFailed, events.EventRejected} {
		s := openShop(t, shopsim.WooConfig{})
		n := s.notice(name, by(events.ActorCanceler))
		n.GoesOn = true
		for range 2 {
			if got := s.out.Deliver(t.Context(), n); got.Status != commerce.Delivered {
				t.Fatalf("%s: %+v", name, got)
			}
		}
		s.expect(outboundCase{status: "pending", effect: []string{"note A payment with SEQR has ended: " + string(name) + ". The buyer has begun another."}})
		paid := s.notice(events.EventPaid, func(inv *events.Invoice) { inv.InvoiceID += "-2" })
		paid.ID = "event-2"
		if got := s.out.Deliver(t.Context(), paid); got.Status != commerce.Delivered {
			t.Errorf("%s: %+v", name, got)
		}
		if o, err := s.Order(s.order); err != nil || o.Status != "processing" {
			t.Errorf("%s: paid by another try, the order is %s, %v", name, o.Status, err)
		}
	}
}

// TestABuyerWhoCancelsMayTryAgain: a cancellation of one try leaves the order payable. Cancelled would come back as the order's.
func TestABuyerWhoCancelsMayTryAgain(t *testing.T) {
	s := openShop(t, shopsim.WooConfig{})
	n := s.notice(events.EventCanceled, by(events.ActorCanceler))
	n.Withdrawn = false
	if got := s.out.Deliver(t.Context(), n); got.Status != commerce.Delivered {
		t.Fatalf("%+v", got)
	}
	s.expect(outboundCase{status: "failed", effect: []string{"status failed", "note The payment with SEQR has ended: canceled."}})
}

// TestNothingOfOursComesBack: what the shop sends after each notice asks for nothing but what the shop itself wants.
func TestNothingOfOursComesBack(t *testing.T) {
	for _, name := range []events.Name{events.EventPaid, events.EventExpired, events.EventFailed, events.EventCanceled} {
		s := openShop(t, shopsim.WooConfig{})
		s.out.Deliver(t.Context(), s.notice(name, by(events.ActorPoller)))
		for body, err := range s.out.Client.Orders(t.Context(), woocommerce.Changed{}) {
			if err != nil {
				t.Fatal(err)
			}
			if got, err := inbound().TranslateOrder("acme", body); err != nil || len(got.Events) > 0 {
				t.Errorf("after %s: %+v %v", name, got, err)
			}
		}
	}
}

func TestRefusedCredentials(t *testing.T) {
	s := openShop(t, shopsim.WooConfig{})
	s.out.Client = s.client("ck_demo", "cs_canary")
	got := s.out.Deliver(t.Context(), s.notice(events.EventPaid, nil))
	if got.Status != commerce.Refused || got.Code != 401 || strings.Contains(got.Detail, "canary") {
		t.Errorf("got %+v", got)
	}
}
