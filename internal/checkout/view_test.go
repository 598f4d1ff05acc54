package checkout

import (
	"slices"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

var begun = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func orderOf(edit func(*orderview.Try)) orderview.Order {
	total, _ := events.ParseAmount("10")
	issued, due := begun, begun.Add(8*time.Minute)
	t := orderview.Try{InvoiceID: "1001", PlacedAt: begun, Order: events.Order{OrderID: "1001", Shop: "acme", Currency: "SEK", Total: total},
		Invoice: events.Invoice{State: events.Issued, IssuedAt: &issued, DueAt: &due, Currency: "SEK", Total: total, QRCode: "HTTP://SEQR.SE/R1", Link: "SEQR://SEQR.SE/R1"}}
	edit(&t)
	return orderview.Order{Shop: "acme", ID: "1001", Tries: []orderview.Try{t}}
}

func paidBack(t *orderview.Try) {
	t.Invoice.State, t.Invoice.Refunded = events.Refunded, t.Invoice.Total
}

// States are all of them.
func States() []State {
	return []State{Preparing, Scan, Checking, Confirm, Canceling, Paid, Late, Refunded, Canceled, Expired, Failed, Rejected}
}

// Every state in which an invoice has ended unpaid is shown under its name.
func TestEveryEndOfAnInvoiceHasItsPage(t *testing.T) {
	n := 0
	for _, tr := range events.Transitions() {
		if s := tr.To; s.Ended() {
			n++
			if shown := stateOf(orderview.Try{Invoice: events.Invoice{State: s}}, false); !slices.Contains(States(), shown) || !shown.Final() {
				t.Errorf("%s is shown as %q", s, shown)
			}
		}
	}
	if n == 0 {
		t.Error("no transition ends an invoice")
	}
}

func TestWhatABuyerIsShown(t *testing.T) {
	state := func(s events.State) func(*orderview.Try) {
		return func(t *orderview.Try) { t.Invoice.State = s }
	}
	for name, c := range map[string]struct {
		edit          func(*orderview.Try)
		returned      bool
		want          State
		cancel, again bool
	}{
		"no invoice yet":           {state(""), false, Preparing, false, false},
		"issued":                   {state(events.Issued), false, Scan, true, false},
		"back from the app":        {state(events.Issued), true, Checking, false, false},
		"overdue":                  {func(t *orderview.Try) { t.Invoice.OverdueAt = &begun }, false, Checking, false, false},
		"over, not yet recorded":   {func(t *orderview.Try) { t.Invoice.DueAt = &begun }, false, Checking, false, false},
		"asked to cancel":          {func(t *orderview.Try) { t.CancelAsked = true }, false, Canceling, false, false},
		"asked, paid all the same": {func(t *orderview.Try) { t.CancelAsked, t.Invoice.State = true, events.Paid }, false, Paid, false, false},
		"reserved":                 {state(events.Reserved), false, Confirm, false, false},
		"paid":                     {state(events.Paid), true, Paid, false, false},
		"receipted":                {state(events.Receipted), false, Paid, false, false},
		"late":                     {func(t *orderview.Try) { t.Invoice.State, t.Invoice.Late = events.Paid, true }, false, Late, false, false},
		"late and paid back":       {func(t *orderview.Try) { paidBack(t); t.Invoice.Late = true }, false, Refunded, false, true},
		"refunded":                 {paidBack, false, Refunded, false, false},
		"canceled":                 {state(events.Canceled), false, Canceled, false, true},
		"expired":                  {state(events.Expired), false, Expired, false, true},
		"failed":                   {state(events.Failed), false, Failed, false, true},
		"rejected":                 {state(events.Rejected), false, Rejected, false, true},
	} {
		o := orderOf(c.edit)
		v := viewOf(o, begun.Add(time.Minute), c.returned)
		if v.state != c.want || v.cancel != c.cancel || v.again != c.again {
			t.Errorf("%s: %s, cancel %v, again %v; expected %+v", name, v.state, v.cancel, v.again, c)
		}
		if scan := c.want == Scan; (v.qrCode() != "") != scan || (v.appLink() != "") != scan {
			t.Errorf("%s: code %q, link %q", name, v.qrCode(), v.appLink())
		}
		stops := v.pluginStatus() != ""
		if stops != (v.state.Final() || v.state == Late) {
			t.Errorf("%s: the plugin is told %q", name, v.pluginStatus())
		}
		if paid := v.pluginStatus() == "PAID"; paid != (v.try.Invoice.State.Paid() && !v.try.Invoice.Late) {
			t.Errorf("%s: the plugin is told %q", name, v.pluginStatus())
		}
		o.Withdrawn = true
		if viewOf(o, begun, false).again {
			t.Errorf("%s: another try of an order that the shop has canceled", name)
		}
	}
}

func TestCountdownIsShownInTheLastQuarter(t *testing.T) {
	o := orderOf(func(*orderview.Try) {})
	for after, want := range map[time.Duration]bool{0: false, 5 * time.Minute: false, 6 * time.Minute: true, 7 * time.Minute: true, 8*time.Minute - time.Second: true, 8 * time.Minute: false, time.Hour: false} {
		if v := viewOf(o, begun.Add(after), false); v.showsLeft() != want || v.left < 0 {
			t.Errorf("after %s of 8m: %v, %s left", after, v.showsLeft(), v.left)
		}
	}
}

func TestAppLinkIsOneOfTheApp(t *testing.T) {
	for link, want := range map[string]bool{"SEQR://SEQR.SE/R1": true, "SEQR-DEBUG://SEQR.SE/R1": true, "": false, "javascript:alert(1)": false, "https://x.example": false} {
		v := viewOf(orderOf(func(t *orderview.Try) { t.Invoice.Link = link }), begun, false)
		if (v.appLink() != "") != want {
			t.Errorf("%q: %q", link, v.appLink())
		}
	}
}

func TestWayBackToTheShop(t *testing.T) {
	l := newLinks(t, newKey)
	shop := Shop{ReturnURL: "https://shop.example/order-received/{order}/?key={key}"}
	const settings = "https://shop.example/order-received/10%2F01%20a/?key=wc%26x"
	for backURL, want := range map[string]string{
		"":                                       settings,
		"https://shop.example/thanks":            "https://shop.example/thanks",
		"http://shop.example/thanks":             "http://shop.example/thanks",
		"myapp://done":                           settings,
		"https://pay.example.com/pay/a/b/return": settings,
		"https://PAY.example.com/pay/a/b/return": settings,
		"https://pay.example.com/elsewhere":      "https://pay.example.com/elsewhere",
	} {
		if got := backLink(l, shop, events.Order{OrderID: "10/01 a", BackURL: backURL}, "wc&x"); got != want {
			t.Errorf("%q: %q, expected %q", backURL, got, want)
		}
	}
	if got := backLink(l, Shop{}, events.Order{OrderID: "1", BackURL: "myapp://done"}, "k"); got != "" {
		t.Errorf("nowhere to go back to: %q", got)
	}
}
