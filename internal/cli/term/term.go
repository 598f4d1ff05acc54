// Package term writes for people at a terminal: colour where it is wanted, columns, and text from
// outside made harmless.
package term

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// Colour of a piece of text; each is a terminal's escape sequence.
type Colour string

// The colours in use.
const (
	Plain  Colour = ""
	Bold   Colour = "1"
	Dim    Colour = "2"
	Red    Colour = "31"
	Green  Colour = "32"
	Yellow Colour = "33"
	Blue   Colour = "34"
)

// Paint colours text, or leaves it alone when colour is off.
type Paint bool

// PaintFor says whether what is written to w may be coloured: only on a terminal, and not where
// NO_COLOR is set.
func PaintFor(w io.Writer) Paint {
	return Paint(os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && IsTerminal(w))
}

// IsTerminal says whether w is a terminal and not a file or a pipe.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// In gives the text in the colour.
func (p Paint) In(c Colour, text string) string {
	if !p || c == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// Clean makes text from outside fit for one line of a terminal: no control characters, no
// direction overrides, no invalid UTF-8.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// columns counts the columns that text takes at a terminal. A character that is wide in East Asia only takes one.
var columns = runewidth.Condition{StrictEmojiNeutral: true}

// Clip shortens text to at most n columns.
func Clip(s string, n int) string { return columns.Truncate(s, n, "…") }

// Pad fills text up with spaces to n columns.
func Pad(s string, n int) string { return columns.FillRight(s, n) }

// PadLeft fills up on the left, for numbers.
func PadLeft(s string, n int) string { return columns.FillLeft(s, n) }

// Table writes rows in columns as wide as their widest cell, the head first. Cells are cleaned;
// columns named in right are aligned to the right.
func Table(w io.Writer, p Paint, head []string, rows [][]string, right ...int) {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i := range row {
			row[i] = Clean(row[i])
			widths[i] = max(widths[i], columns.StringWidth(row[i]))
		}
	}
	line := func(row []string) string {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = Pad(c, widths[i])
			if slices.Contains(right, i) {
				cells[i] = PadLeft(c, widths[i])
			}
		}
		return strings.TrimRight(strings.Join(cells, "  "), " ")
	}
	fmt.Fprintln(w, p.In(Bold, line(head)))
	for _, row := range rows {
		fmt.Fprintln(w, line(row))
	}
}
