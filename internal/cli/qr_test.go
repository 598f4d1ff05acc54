package cli

import (
	"strings"
	"testing"
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
