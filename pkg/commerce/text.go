package commerce

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Text is a string or a number in a shop's JSON, as it is written there: a number never goes through a float. null is "".
// Anything else (an object, a list, true) is kept as its JSON, which is then neither an id nor a decimal.
type Text string

// UnmarshalJSON takes any value, so that the one who reads the field can name it in the error.
func (t *Text) UnmarshalJSON(b []byte) error {
	switch {
	case bytes.Equal(b, []byte("null")):
		*t = ""
	case b[0] == '"':
		return json.Unmarshal(b, (*string)(t))
	default:
		*t = Text(b)
	}
	return nil
}

var (
	idPattern      = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)
	decimalPattern = regexp.MustCompile(`^-?[0-9]{1,10}(\.[0-9]+)?$`)
)

// readDigits is how many digits after the point [Text.Decimal] keeps: shops write quotients with as many as 16.
const readDigits = 6

// ID reads a positive integer of at most 19 digits.
func (t Text) ID() (string, error) {
	if !idPattern.MatchString(string(t)) {
		return "", fmt.Errorf("expected a positive integer, got %s", t.Shown())
	}
	return string(t), nil
}

// Decimal reads a plain decimal with at most 10 digits before the point: no exponent, no thousands separators. What is beyond
// 6 digits after the point is rounded away.
func (t Text) Decimal() (decimal.Decimal, error) {
	if !decimalPattern.MatchString(string(t)) {
		return decimal.Decimal{}, fmt.Errorf(`expected a decimal such as "149.50", got %s`, t.Shown())
	}
	s := string(t)
	if point := strings.IndexByte(s, '.'); point >= 0 && len(s)-point-1 > readDigits {
		s = s[:min(len(s), point+1+readDigits+1)] // one more, to round by
	}
	d, err := decimal.Parse(s)
	return Round(d, readDigits), err
}

// Amount reads a decimal as [Text.Decimal] does, exactly as it stands there.
func (t Text) Amount() (events.Amount, error) {
	d, err := t.Decimal()
	return events.AmountOf(d), err
}

// Shown is the text in quotes, cut short, for an error.
func (t Text) Shown() string { return fmt.Sprintf("%q", Clip(string(t), 40)) }

// Round rounds half away from zero, as shops do; the decimal package's own Round rounds half to even.
func Round(d decimal.Decimal, digits int) decimal.Decimal {
	if d.Scale() <= digits {
		return d
	}
	down := d.Trunc(digits)
	rest, err := d.Sub(down)
	if err != nil {
		return d.Round(digits)
	}
	if half := decimal.MustNew(5, digits+1); rest.Abs().Cmp(half) < 0 {
		return down
	}
	up, err := down.Add(decimal.MustNew(1, digits).CopySign(d))
	if err != nil {
		return d.Round(digits)
	}
	return up
}

// Clip cuts the text to n characters, the last of them "…" where something was cut off.
func Clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// MaxDescription is how many characters of a name [Described] keeps.
const MaxDescription = 200

// Described makes a row's description of the first of the names that has visible text: one line, control characters and
// repeated spaces taken out, at most [MaxDescription] characters.
func Described(names ...string) string {
	for _, name := range names {
		line := strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, name)
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			return Clip(line, MaxDescription)
		}
	}
	return ""
}
