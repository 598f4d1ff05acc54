package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/certify"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// On a terminal the code says its own colours, dark on light, so that a light terminal does not invert it.
func TestTheQRCodeIsBlackOnWhiteOnAnyTerminal(t *testing.T) {
	const text = "HTTP://SEQR.SE/R1234567890"
	plain, coloured := strings.Split(drawQR(text, false), "\n"), strings.Split(drawQR(text, true), "\n")
	if len(plain) != len(coloured) || len(plain) < 15 {
		t.Fatalf("%d and %d lines", len(plain), len(coloured))
	}
	inverted := strings.NewReplacer("█", " ", " ", "█", "▀", "▄", "▄", "▀")
	for i, line := range coloured[:len(coloured)-1] {
		inner, begins := strings.CutPrefix(line, "\x1b[38;5;16;48;5;231m")
		inner, ends := strings.CutSuffix(inner, "\x1b[0m")
		if !begins || !ends || inverted.Replace(inner) != plain[i] {
			t.Errorf("line %d: %q against %q", i, line, plain[i])
		}
	}
}

// With --json the codes go to standard error, so that it counts whether that is a terminal.
func TestCodesOfACertificationAreDrawnForStandardError(t *testing.T) {
	var out, errs bytes.Buffer
	c := &console{out: &out, terminal: true, err: &errs, lines: term.Lines{Paint: true}}
	x := certifyCmd{JSON: true, Endpoint: "https://seqr.example/x", certifyAccounts: certifyAccounts{Terminal: "t", Password: "p"}}
	cfg, err := x.config(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := certify.ShownInvoice{Invoice: events.Invoice{InvoiceReference: "1"}, Code: "HTTP://SEQR.SE/R1"}
	if err := cfg.Buyer.Pay(t.Context(), shown); err != nil || out.Len() > 0 || errs.Len() == 0 || strings.Contains(errs.String(), "\x1b") {
		t.Errorf("%v, standard output %q, standard error %q", err, out.String(), errs.String())
	}
}
