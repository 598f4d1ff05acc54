package reconciler

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Summary tells people of a closing: how far it is, the sums of both sides, and one line for each
// difference.
func Summary(p events.Period) string {
	var b strings.Builder
	fmt.Fprintf(&b, "period %s of %s: %s\n", oneLine(p.Period), oneLine(p.Shop), strings.ToLower(string(p.State)))
	if p.Terminal != "" {
		fmt.Fprintf(&b, "terminal %s, provider's period %s\n", oneLine(p.Terminal), oneLine(cmp.Or(p.TransactionPeriodID, "–")))
	}
	if !p.State.Ended() {
		fmt.Fprintf(&b, "last: %s\n", oneLine(p.Change.Why))
		return b.String()
	}
	fmt.Fprintf(&b, "%d rows in the report, %d agree with our ledger, %s\n", p.Rows, p.Matched, counted(p.Differences, "difference"))
	for _, t := range p.Totals {
		writeTotal(&b, t)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", oneLine(n))
	}
	for _, d := range p.Lines {
		b.WriteString(line(d) + "\n")
	}
	if more := p.Differences - len(p.Lines); more > 0 {
		fmt.Fprintf(&b, "… and %d more\n", more)
	}
	return b.String()
}

func writeTotal(b *strings.Builder, t events.PeriodTotal) {
	currency := cmp.Or(t.Currency, "(currency unknown)")
	for _, side := range []struct {
		whose string
		sums  events.Totals
	}{{"ours", t.Ours}, {"theirs", t.Theirs}} {
		fmt.Fprintf(b, "  %-6s %s: %s %s, %s %s, net %s\n", side.whose, currency,
			counted(side.sums.Sales, "sale"), side.sums.SalesSum.In(t.Currency),
			counted(side.sums.Refunds, "refund"), side.sums.RefundSum.In(t.Currency), net(side.sums, t.Currency))
	}
}

func net(t events.Totals, currency string) string {
	d, err := addExactly(t.SalesSum.Decimal(), t.RefundSum.Decimal().Neg())
	if err != nil {
		return "beyond what is counted exactly"
	}
	return events.AmountOf(d).In(currency)
}

// line is one difference on one line.
func line(d events.Difference) string {
	parts := []string{strings.ReplaceAll(string(d.Kind), "_", " ")}
	if d.Shop != "" {
		of := d.Shop + "/" + d.InvoiceID
		if d.RefundID != "" {
			of += " refund " + d.RefundID
		}
		parts = append(parts, of)
	}
	parts = append(parts, "ersReference "+cmp.Or(d.ErsReference, "–"), "ours "+amount(d.Ours, d.Currency), "theirs "+amount(d.Theirs, d.Currency), d.Text)
	return oneLine(strings.Join(parts, " | "))
}

func amount(a *events.Amount, currency string) string {
	if a == nil {
		return "–"
	}
	return strings.TrimSpace(a.In(currency) + " " + currency)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// oneLine keeps what came from outside from moving the cursor or starting a line of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
