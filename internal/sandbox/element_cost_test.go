package sandbox

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestReadingCostsNoMoreThanTheLength compares a message with one of the same shape that is sixteen times as
// long. A cost that grows with the square of the length is 256 times as high.
func TestReadingCostsNoMoreThanTheLength(t *testing.T) {
	const size, factor, tooMuch = 12 << 10, 16, 96
	same := func(piece string) func(int) string { return func(int) string { return piece } }
	numbered := func(format string) func(int) string {
		return func(n int) string { return fmt.Sprintf(format, n) }
	}
	for name, c := range map[string]struct {
		before string
		piece  func(int) string
		after  string
	}{
		"attributes":             {"<a", numbered(` a%d=""`), "/>"},
		"prefixed attributes":    {`<a xmlns:p="u"`, numbered(` p:a%d=""`), "/>"},
		"declarations":           {"<a", numbered(` xmlns:p%d="u"`), "/>"},
		"declared and used":      {"<a", numbered(` xmlns:p%d="u" p%[1]d:a=""`), "/>"},
		"elements":               {"", same("<a/>"), ""},
		"unclosed elements":      {"", same("<a>"), ""},
		"pieces of a text":       {"<a>", same("x<!---->"), "</a>"},
		"blanks":                 {"<a>", same(" <!---->"), "</a>"},
		"elements between text":  {"<a>", same("x<b/> "), "</a>"},
		"CDATA":                  {"<a>", same("<![CDATA[x]]>"), "</a>"},
		"references":             {"<a>", same("&lt;"), "</a>"},
		"comments":               {"", same("<!---->"), ""},
		"brackets in directives": {"<!A ", same("<"), ">"},
	} {
		build := func(size int) []byte {
			var b strings.Builder
			b.WriteString("<root>" + c.before)
			for n := 0; b.Len() < size; n++ {
				b.WriteString(c.piece(n))
			}
			return []byte(b.String() + c.after + "</root>")
		}
		small, large := build(size), build(factor*size)
		read := func(message []byte) func() {
			return func() { _, _ = readDocument(xml.NewDecoder(bytes.NewReader(message))) }
		}
		if ratio := costRatio(read(small), read(large), tooMuch); ratio > tooMuch {
			t.Errorf("%s: %d times the length costs %.0f times the time", name, factor, ratio)
		}
	}
}

// costRatio compares the quickest of several runs: what else the machine does only makes runs slower. It goes on until
// the ratio is good enough, which that of a quadratic cost never is.
func costRatio(small, large func(), goodEnough float64) (ratio float64) {
	const least, most = 3, 100
	quickest := [2]time.Duration{time.Hour, time.Hour}
	for run := range most {
		for i, do := range []func(){small, large} {
			started := time.Now()
			do()
			quickest[i] = min(quickest[i], time.Since(started))
		}
		ratio = float64(quickest[1]) / float64(max(quickest[0], time.Microsecond))
		if run >= least && ratio <= goodEnough {
			break
		}
	}
	return ratio
}
