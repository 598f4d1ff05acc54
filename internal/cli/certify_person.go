package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/seqrflow/seqrflow/internal/certify"
	"github.com/seqrflow/seqrflow/internal/cli/term"
)

// certifyProgress prints every test and step as it happens.
type certifyProgress struct{ c *console }

// TestStarted prints the heading of a test.
func (a certifyProgress) TestStarted(t certify.Test) {
	a.c.say("\n%s", a.c.paint().In(term.Bold, fmt.Sprintf("%d. %s", t.N, t.Name)))
}

// StepDone prints the step's verdict.
func (a certifyProgress) StepDone(s certify.Step) {
	mark := a.c.paint().In(term.Green, "ok    ")
	if !s.Passed {
		mark = a.c.paint().In(term.Red, "FAILED")
	}
	detail := ""
	if s.Detail != "" {
		detail = ": " + s.Detail
	}
	a.c.say("  %s  %s%s", mark, term.Clean(strings.TrimSpace(s.Number+" "+s.Name)), a.c.paint().In(term.Dim, term.Clean(detail)))
}

// Waiting says what is waited for.
func (a certifyProgress) Waiting(why string) {
	a.c.say("  %s", a.c.paint().In(term.Yellow, "...     "+term.Clean(why)))
}

// person shows the codes at the terminal, to be scanned with the app.
type person struct{ c *console }

// Pay shows the code that is to be scanned and paid.
func (p person) Pay(_ context.Context, b certify.ShownInvoice) error {
	return p.show("Scan this code with the buyer's app and pay", b)
}

// Leave shows the code that is to be left alone.
func (p person) Leave(_ context.Context, b certify.ShownInvoice) error {
	return p.show("Do not pay this one. It may be scanned", b)
}

func (p person) show(what string, b certify.ShownInvoice) error {
	inv := b.Invoice
	p.c.say("\n%s: %s %s, invoiceReference %s", p.c.paint().In(term.Bold, what), inv.Total.In(inv.Currency), inv.Currency, term.Clean(inv.InvoiceReference))
	inv.QRCode = b.Code
	return p.c.showQR(&inv)
}
