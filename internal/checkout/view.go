package checkout

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// State is what a buyer is shown.
type State string

// The states of a page.
const (
	Preparing State = "preparing" // there is no invoice yet
	Scan      State = "scan"      // the buyer can pay
	Checking  State = "checking"  // how it stands is not known just now
	Confirm   State = "confirm"   // reserved: the payment is being made
	Canceling State = "canceling" // asked to cancel; the provider has not answered
	Paid      State = "paid"
	Late      State = "late"     // paid after the end: it is being paid back
	Refunded  State = "refunded" // all of it was paid back
	Canceled  State = "canceled"
	Expired   State = "expired"
	Failed    State = "failed"
	Rejected  State = "rejected" // the provider refused the order: no payment could be begun
)

// Final says that the page will not change by itself, or only by a refund.
func (s State) Final() bool {
	switch s {
	case Paid, Refunded, Canceled, Expired, Failed, Rejected:
		return true
	}
	return false
}

// slowAfter is how long an invoice may take before the buyer is told that it takes longer than usual.
const slowAfter = 20 * time.Second

// view is what a buyer is shown of an order.
type view struct {
	state     State
	try       orderview.Try
	currency  string
	total     events.Amount
	refunded  events.Amount // paid back so far
	refunding events.Amount // being paid back
	slow      bool          // it takes longer than usual
	reversed  bool          // canceled by the provider after a time in which a payment may have been made and taken back
	withdrawn bool          // the shop has canceled the order
	again     bool          // another try may be begun
	cancel    bool          // the buyer may cancel

	// left is how long the buyer has; quarter is the last quarter of the time, in which that is shown. Both are 0 where there is none.
	left, quarter time.Duration
}

// viewOf gives what is shown of an order at a time by the broker's clock. returned says that the buyer has just come back from the
// app: a payment may be on its way.
func viewOf(o orderview.Order, now time.Time, returned bool) view {
	t := o.Current()
	inv := t.Invoice
	v := view{
		state: stateOf(t, returned), try: t, currency: t.Order.Currency, total: t.Order.Total,
		refunded: inv.Refunded, refunding: inv.ReservedForRefunds, withdrawn: o.Withdrawn,
	}
	if inv.Currency != "" {
		v.currency, v.total = inv.Currency, inv.Total
	}
	_, v.again = o.NextTry()
	if v.state == Scan && inv.DueAt != nil && !now.Before(*inv.DueAt) {
		v.state = Checking // nobody has recorded yet that the time is over
	}
	v.slow = v.state == Preparing && !t.PlacedAt.IsZero() && now.Sub(t.PlacedAt) > slowAfter
	v.reversed = v.state == Canceled && inv.Change.SecondsWithoutAnswer > 0
	v.cancel = v.state == Scan
	if v.state == Scan && inv.IssuedAt != nil && inv.DueAt != nil {
		v.left, v.quarter = max(0, inv.DueAt.Sub(now)), inv.DueAt.Sub(*inv.IssuedAt)/4
	}
	return v
}

// stateOf asks the table of states for all but RESERVED. An invoice that has ended is shown under its own state's name.
func stateOf(t orderview.Try, returned bool) State {
	switch inv := t.Invoice; {
	case !t.Known():
		return Preparing
	case inv.State.Open() && t.CancelAsked:
		return Canceling
	case inv.State == events.Reserved:
		return Confirm
	case inv.State.Open() && (returned || inv.OverdueAt != nil):
		return Checking
	case inv.State.Open():
		return Scan
	case inv.State.Paid() && inv.Refunded.Cmp(inv.Total) >= 0:
		return Refunded
	case inv.State.Paid() && inv.Late:
		return Late
	case inv.State.Paid():
		return Paid
	default:
		return State(strings.ToLower(string(inv.State)))
	}
}

// digest is a short text that differs when what is shown differs.
func (v view) digest() string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, fmt.Sprint(v.state, "/", v.try.InvoiceID, "/", v.refunded, "/", v.refunding, "/", v.slow, "/", v.withdrawn, "/", v.again))
}

// appLink gives the address that opens the buyer's app; "" when the invoice has none, or one of a scheme that is none of the app's.
func (v view) appLink() string {
	u, err := url.Parse(v.try.Invoice.Link)
	if err != nil || v.state != Scan || u.Scheme != "seqr" && u.Scheme != "seqr-debug" {
		return ""
	}
	return v.try.Invoice.Link
}

// qrCode gives the text of the QR code; "" when there is nothing to scan.
func (v view) qrCode() string {
	if v.state != Scan {
		return ""
	}
	return v.try.Invoice.QRCode
}

// showsLeft says whether the countdown is shown.
func (v view) showsLeft() bool { return v.quarter > 0 && v.left <= v.quarter }

// backLink gives the way back to the shop: where the order says, if that is a web page and not ours, else where the shop's settings
// say; "" for none. key is the one in the page's URL.
func backLink(l Links, s Shop, o events.Order, key string) string {
	if u, err := url.Parse(o.BackURL); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && !l.isOwn(o.BackURL) {
		return o.BackURL
	}
	return strings.NewReplacer("{order}", escape(o.OrderID), "{key}", escape(key)).Replace(s.ReturnURL)
}
