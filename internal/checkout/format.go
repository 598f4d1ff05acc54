package checkout

import (
	"fmt"
	"strings"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

const (
	noBreak = "\u00a0"
	minus   = "\u2212"
)

// separators of numbers: between thousands, and before the fraction.
var separators = map[Language][2]string{
	"en": {",", "."}, "sv": {noBreak, ","}, "nb": {noBreak, ","}, "da": {".", ","}, "fi": {noBreak, ","}, "de": {".", ","},
}

// money writes an amount as people of the language do, with the currency's code and digits: "SEK 1,234.50", "1 234,50 SEK".
func money(l Language, a events.Amount, currency string) string {
	n := number(l, a.In(currency))
	if l == "en" {
		return currency + noBreak + n
	}
	return n + noBreak + currency
}

// quantity writes a quantity without the zeros at its end.
func quantity(l Language, d decimal.Decimal) string { return number(l, d.Trim(0).String()) }

// number writes a plain decimal.
func number(l Language, plain string) string {
	plain, negative := strings.CutPrefix(plain, "-")
	whole, fraction, hasFraction := strings.Cut(plain, ".")
	var b strings.Builder
	if negative {
		b.WriteString(minus)
	}
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(separators[l][0])
		}
		b.WriteRune(digit)
	}
	if hasFraction {
		b.WriteString(separators[l][1] + fraction)
	}
	return b.String()
}

// clock writes a duration as minutes and seconds, "3:05"; a negative one is 0:00.
func clock(d time.Duration) string {
	s := max(0, int(d/time.Second))
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
