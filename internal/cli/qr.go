package cli

import (
	"bytes"
	"errors"
	"os"
	"strings"

	"github.com/mdp/qrterminal/v3"

	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// showQR draws the invoice's code and prints its text under it.
func (c *console) showQR(inv *events.Invoice) error {
	if inv == nil || inv.QRCode == "" {
		return errors.New("the invoice has no QR code: the provider has not issued it")
	}
	c.say("%s%s", drawQR(inv.QRCode, c.terminal && os.Getenv("TERM") != "dumb"), term.Clean(inv.QRCode))
	return nil
}

// blackOnWhite are colours that do not depend on the terminal's own: a code in the colours of a dark terminal is inverted on a
// light one, and the other way round, and not every phone reads an inverted code.
const blackOnWhite, ownColours = "\x1b[38;5;16;48;5;231m", "\x1b[0m"

// drawQR draws the code, two modules to a character; coloured is for terminals.
func drawQR(text string, coloured bool) string {
	var b bytes.Buffer
	cfg := qrterminal.Config{Level: qrterminal.L, Writer: &b, HalfBlocks: true, QuietZone: 2,
		BlackChar: qrterminal.BLACK_BLACK, WhiteBlackChar: qrterminal.WHITE_BLACK, WhiteChar: qrterminal.WHITE_WHITE, BlackWhiteChar: qrterminal.BLACK_WHITE}
	if coloured { // black is the foreground
		cfg.BlackChar, cfg.WhiteBlackChar, cfg.WhiteChar, cfg.BlackWhiteChar = "█", "▄", " ", "▀"
	}
	qrterminal.GenerateWithConfig(text, cfg)
	if !coloured {
		return b.String()
	}
	var out strings.Builder
	for line := range strings.Lines(b.String()) {
		out.WriteString(blackOnWhite + strings.TrimSuffix(line, "\n") + ownColours + "\n")
	}
	return out.String()
}
