package term

import (
	"cmp"
	"encoding/base32"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Lines renders events, one line each.
type Lines struct {
	Paint Paint
	Zone  *time.Location // nil is the machine's own
	Begun time.Time      // where it is set, lines have the seconds since then instead of the time of day
}

const (
	clock      = "15:04:05.000Z07:00"
	dated      = "2006-01-02 15:04:05Z07:00"
	whereWidth = 30
)

// DateOf is [Lines.Date] of an instant that may be missing.
func (l Lines) DateOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return l.Date(*t)
}

// Clock renders an instant as the time of day with the zone's offset.
func (l Lines) Clock(t time.Time) string {
	if !l.Begun.IsZero() {
		return fmt.Sprintf("%6.2f s", t.Sub(l.Begun).Seconds())
	}
	return l.in(t).Format(clock)
}

// Date renders an instant with its day and the zone's offset.
func (l Lines) Date(t time.Time) string { return l.in(t).Format(dated) }

// Day is the day of an instant.
func (l Lines) Day(t time.Time) string { return l.in(t).Format(time.DateOnly) }

func (l Lines) in(t time.Time) time.Time { return t.In(cmp.Or(l.Zone, time.Local)) }

// Event renders any event of any stream; what cannot be read is shown by its subject.
func (l Lines) Event(e bus.Entry) string {
	switch e.Stream {
	case events.InvoicesStream:
		if inv, err := events.DecodeInvoice(e.Body); err == nil {
			return l.Invoice(inv)
		}
	case events.OrdersStream:
		return l.order(e)
	case events.ParkedStream:
		if p, event, err := events.DecodeParked(e.Body); err == nil {
			return l.parked(e, p, event)
		}
	case events.DeliveriesStream:
		if a, err := events.DecodeDelivery(e.Body); err == nil {
			return l.delivery(a)
		}
	}
	return l.line(e.Time, e.Subject, "?", "", "", "cannot be read", Red)
}

// Invoice renders the last event of an invoice.
func (l Lines) Invoice(inv events.Invoice) string {
	c := inv.Change
	return l.line(c.At, inv.Shop+"/"+inv.InvoiceID, string(c.Event), string(inv.State), Money(inv), c.Why, Mood(inv.State, c.Event))
}

// Money is what the event is about: the refund's amount, or the invoice's.
func Money(inv events.Invoice) string {
	if inv.Currency == "" {
		return ""
	}
	a := inv.Total
	if r, ok := inv.Refund(inv.Change.RefundID); ok {
		a = r.Amount.Neg()
	}
	return a.In(inv.Currency) + " " + inv.Currency
}

// Mood is the colour of an event: green where money came, red where a person should look.
func Mood(s events.State, e events.Name) Colour {
	switch {
	case e.IsFailure():
		return Red
	case e.AboutRefund():
		return Blue
	case s.Open():
		return Yellow
	case s.Paid():
		return Green
	}
	return Dim
}

func (l Lines) order(e bus.Entry) string {
	o := orderfile.Glance(e.Subject, e.Body)
	return l.line(e.Time, o.Shop+"/"+o.Invoice, "order "+string(o.Name), "", o.Money(), o.Reason, Plain)
}

func (l Lines) parked(e bus.Entry, p events.Parked, event string) string {
	where := p.Subject
	if a, err := events.ParseSubject(p.Subject); err == nil {
		where = ID(a.Shop) + "/" + ID(a.ID)
	}
	switch event {
	case events.ParkedReplayed:
		return l.line(e.Time, where, "replayed", "", "", fmt.Sprintf("parked message %d goes to the %s again", p.Replays, p.Worker), Blue)
	case events.ParkedDismissed:
		return l.line(e.Time, where, "dismissed", "", "", fmt.Sprintf("parked message %d, by %s: %s", p.Dismisses, p.By, p.Why), Dim)
	}
	return l.line(e.Time, where, "parked", "", "", fmt.Sprintf("%s: %s", p.Worker, p.Reason), Red)
}

func (l Lines) delivery(a events.DeliveryAttempt) string {
	mood := Dim
	if a.Status == events.DeliveryRefused || a.Status == events.DeliveryGivenUp {
		mood = Red
	}
	return l.line(a.At, a.Shop+"/"+a.InvoiceID, "told of "+string(a.Event), "", "", fmt.Sprintf("%s: %s", a.Destination, cmp.Or(a.Detail, string(a.Status))), mood)
}

// ID is what a subject's token stands for, where that can be told from it.
func ID(token string) string {
	coded, ok := strings.CutPrefix(token, "x-")
	if !ok {
		return token
	}
	id, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(coded))
	if err != nil || !utf8.Valid(id) || events.Token(string(id)) != token { // what is not text is the hash of a long id
		return token
	}
	return string(id)
}

func (l Lines) line(at time.Time, where, event, state, amount, why string, c Colour) string {
	cells := []string{
		l.Paint.In(Dim, l.Clock(at)), Pad(Clip(Clean(where), whereWidth), whereWidth), l.Paint.In(c, Pad(Clean(event), 14)), Pad(Clean(state), 9),
		PadLeft(Clean(amount), 13), Clean(why),
	}
	return strings.TrimRight(strings.Join(cells, "  "), " ")
}
