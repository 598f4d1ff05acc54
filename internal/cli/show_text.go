package cli

import (
	"fmt"
	"strings"

	"github.com/go-xmlfmt/xmlfmt"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/exchanges"
	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// showLife prints the history, the refunds, and how things stand.
func (c *console) showLife(l life) {
	day := ""
	for _, e := range l.History {
		if d := c.lines.Day(e.Time); d != day {
			day = d
			c.say("%s", c.paint().In(term.Dim, day))
		}
		c.say("%s", c.historyLine(e))
	}
	if l.Current == nil {
		c.say("\n%s  %s: no worker has recorded anything of it yet", c.paint().In(term.Bold, term.Clean(term.ID(l.Shop)+"/"+term.ID(l.Invoice))), events.None)
		c.showStuck(l.Stuck)
		return
	}
	inv := *l.Current
	if len(inv.Refunds) > 0 {
		c.say("")
		c.table([]string{"refund", "amount", "status", "attempts", "asked", "settled", "ersReference", "why"}, c.refunds(inv), 1, 3)
	}
	c.say("\n%s  %s  %s", c.paint().In(term.Bold, term.Clean(inv.Shop+"/"+inv.InvoiceID)),
		c.paint().In(term.Mood(inv.State, ""), term.Clean(string(inv.State))), strings.TrimSpace(term.Clean(inv.Total.In(inv.Currency)+" "+inv.Currency)))
	c.facts(18, c.currentFacts(inv))
	c.showStuck(l.Stuck)
}

// historyLine is one line of the history: when, what, from and to, by whom, why, and the call it rests on.
func (c *console) historyLine(e bus.Entry) string {
	line := func(what, change, by, why string, colour term.Colour) string {
		return strings.TrimRight(fmt.Sprintf("%s  %s  %s  %s  %s", c.paint().In(term.Dim, c.lines.Clock(e.Time)), c.paint().In(colour, term.Pad(term.Clean(what), 14)),
			term.Pad(term.Clean(change), 22), term.Pad(term.Clean(by), 10), term.Clean(why)), " ")
	}
	switch e.Stream {
	case events.OrdersStream:
		o := orderfile.Glance(e.Subject, e.Body)
		refund := ""
		if o.RefundID != "" {
			refund = "refund " + o.RefundID
		}
		return line("order "+string(o.Name), "", "shop", join(o.Money(), refund, o.Reason), term.Plain)
	case events.ParkedStream:
		p, event, err := events.DecodeParked(e.Body)
		switch {
		case err != nil:
		case event == events.ParkedReplayed:
			return line("replayed", fmt.Sprintf("parked message %d", p.Replays), "operator", "the "+p.Worker+" takes it again", term.Blue)
		case event == events.ParkedDismissed:
			return line("dismissed", fmt.Sprintf("parked message %d", p.Dismisses), "operator", p.By+": "+p.Why, term.Dim)
		default:
			return line("parked", fmt.Sprintf("as message %d", e.Seq), p.Worker, p.Reason, term.Red)
		}
	default:
		if inv, err := events.DecodeInvoice(e.Body); err == nil {
			ch := inv.Change
			change := fmt.Sprintf("%s → %s", ch.From, inv.State)
			if ch.From == inv.State {
				change = string(inv.State)
			}
			refund := ""
			if ch.RefundID != "" {
				refund = "refund " + ch.RefundID + " " + term.Money(inv)
			}
			return line(string(ch.Event), change, ch.By, join(refund, ch.Why, callText(ch.Call)), term.Mood(inv.State, ch.Event))
		}
	}
	return line("?", e.Subject, "", "cannot be read", term.Red)
}

func join(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, " · ")
}

func callText(call *events.Call) string {
	if call == nil {
		return ""
	}
	s := call.Operation
	if call.Code != nil {
		s += fmt.Sprintf(" → %d %s", *call.Code, call.Description)
	} else {
		s += " → " + call.Outcome + " " + call.Description
	}
	s = strings.TrimSpace(s)
	if call.Attempt > 1 {
		s += fmt.Sprintf(", attempt %d", call.Attempt)
	}
	return fmt.Sprintf("%s, %d ms", s, call.Millis)
}

func (c *console) refunds(inv events.Invoice) [][]string {
	var rows [][]string
	for _, r := range inv.Refunds {
		rows = append(rows, []string{r.RefundID, r.Amount.In(inv.Currency) + " " + inv.Currency, string(r.Status), fmt.Sprint(r.Attempts),
			c.lines.Date(r.AskedAt), c.lines.DateOf(r.SettledAt), r.ErsReference, join(r.Reason, r.Detail)})
	}
	return rows
}

// currentFacts is the current state, one fact per line.
func (c *console) currentFacts(inv events.Invoice) [][2]string {
	when := c.lines.DateOf
	late := ""
	if inv.Late {
		late = "yes: paid after it had ended; refunded in full"
	}
	money := func(a events.Amount) string {
		if a.IsZero() {
			return ""
		}
		return a.In(inv.Currency) + " " + inv.Currency
	}
	receipts := ""
	if n := len(inv.Receipts); n > 0 {
		receipts = fmt.Sprintf("%d, the last %d bytes of %s", n, inv.Receipts[n-1].Bytes, inv.Receipts[n-1].MIMEType)
	}
	return [][2]string{
		{"order", inv.OrderID}, {"terminal", inv.Terminal}, {"invoiceReference", inv.InvoiceReference}, {"QR code", inv.QRCode}, {"link", inv.Link},
		{"issued", when(inv.IssuedAt)}, {"due", when(inv.DueAt)}, {"overdue since", when(inv.OverdueAt)},
		{"paid", when(inv.PaidAt)}, {"ersReference", inv.ErsReference}, {"late", late}, {"receipts", receipts},
		{"refunded", money(inv.Refunded)}, {"held for refunds", money(inv.ReservedForRefunds)}, {"ended", when(inv.EndedAt)}, {"reason", inv.Reason},
	}
}

// showExchanges prints what went over the wire for the invoice.
func (c *console) showExchanges(b *bus.Bus, k events.Key) error {
	all, err := exchanges.Of(c.ctx, b, k)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		c.say("\nno exchange of %s is kept", k)
	}
	for _, e := range all {
		verdict := e.Outcome
		if e.Code != nil {
			verdict = fmt.Sprintf("answered %d", *e.Code)
		}
		c.say("\n%s  %s  %s, HTTP %d, %d ms", c.lines.Date(e.At), term.Clean(e.Operation), term.Clean(verdict), e.HTTPStatus, e.Millis)
		if e.Error != "" {
			c.say("  %s", lines(e.Error))
		}
		c.say("%s", indented("> ", e.Request))
		if e.Response != "" {
			c.say("%s", indented("< ", e.Response))
		}
	}
	return nil
}

// indented lays XML out for reading; what is not XML is shown as it is.
func indented(prefix, doc string) string {
	return lines(strings.TrimPrefix(xmlfmt.FormatXML(doc, prefix, "  "), prefix+"\n"))
}
