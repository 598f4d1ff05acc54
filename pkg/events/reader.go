package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/govalues/decimal"
)

// reader takes values out of a JSON object and notes each problem under its path, instead of
// stopping at the first. Fields that it is not asked for are left alone.
type reader struct {
	prefix   string
	fields   map[string]json.RawMessage
	problems *Problems
}

func readObject(path string, body []byte, ps *Problems) reader {
	r := reader{prefix: path, problems: ps}
	if err := json.Unmarshal(body, &r.fields); err != nil || r.fields == nil {
		what := "expected a JSON object"
		if !json.Valid(body) {
			what = "expected JSON"
			if err != nil {
				what += ": " + err.Error()
			}
		}
		*ps = append(*ps, Problem{cmp.Or(path, "body"), what})
		return r
	}
	r.checkDuplicates(body)
	return r
}

func (r reader) path(key string) string {
	if r.prefix == "" {
		return key
	}
	return r.prefix + "." + key
}

func (r reader) note(key, expected string, args ...any) {
	*r.problems = append(*r.problems, Problem{r.path(key), fmt.Sprintf(expected, args...)})
}

// raw gives the field, or nil when it is absent or null; a required one is noted as missing.
func (r reader) raw(key string, required bool) json.RawMessage {
	v, ok := r.fields[key]
	if ok && !bytes.Equal(v, []byte("null")) {
		return v
	}
	if required && r.fields != nil {
		r.note(key, "missing")
	}
	return nil
}

// field reads a field into a T; ok is false when it is absent or null, or noted as something else than the expected.
func field[T any](r reader, key string, required bool, expected string) (value T, ok bool) {
	v := r.raw(key, required)
	if v == nil {
		return value, false
	}
	if json.Unmarshal(v, &value) != nil {
		r.note(key, "expected %s, got %s", expected, kind(v))
		return value, false
	}
	return value, true
}

func (r reader) text(key string, required bool, maxRunes int) string {
	s, ok := field[string](r, key, required, "a string")
	if !ok {
		return ""
	}
	switch n := utf8.RuneCountInString(s); {
	case !utf8.Valid(r.fields[key]):
		r.note(key, "expected UTF-8") // what is not would be replaced, so that two ids could become the same
	case n == 0 && required:
		r.note(key, "expected a string that is not empty")
	case n > maxRunes:
		r.note(key, "expected at most %d characters, got %d", maxRunes, n)
	}
	return s
}

// currency reads an ISO 4217 code.
func (r reader) currency(required bool) string {
	c := r.text("currency", required, 3)
	if _, ok := CurrencyDigits(c); !ok && c != "" {
		r.note("currency", "expected an ISO 4217 code such as SEK, got %q", clip(c, 10))
	}
	return c
}

// isText says whether the field is the given text.
func (r reader) isText(key, want string) bool {
	var s string
	v := r.raw(key, false)
	return v != nil && json.Unmarshal(v, &s) == nil && s == want
}

// id reads a text; a JSON integer is taken as its decimal digits, as a shop may number its orders.
func (r reader) id(key string) string {
	if v := r.raw(key, false); v != nil && isInteger(v) {
		r.fields[key] = slices.Concat([]byte{'"'}, v, []byte{'"'})
	}
	return r.name(key, true)
}

// name reads a text that names something. One with U+FFFD has lost a character on its way here, so that two may have become the same.
func (r reader) name(key string, required bool) string {
	s := r.text(key, required, MaxID)
	if strings.ContainsRune(s, utf8.RuneError) && utf8.Valid(r.fields[key]) {
		r.note(key, "expected no U+FFFD, which stands for a character that could not be read, got %q", s)
	}
	return s
}

func isInteger(v []byte) bool {
	return !bytes.ContainsFunc(bytes.TrimPrefix(v, []byte("-")), func(c rune) bool { return c < '0' || c > '9' })
}

// amount reads a decimal string with at most the currency's digits; zeros at the end do not count.
func (r reader) amount(key, currency string, required bool) *Amount {
	s, ok := field[string](r, key, required, `a decimal string such as "149.50"`)
	if !ok {
		return nil
	}
	a, err := ParseAmount(s)
	if err == nil {
		a, err = a.within(currency)
	}
	if err != nil {
		r.note(key, "%v", err)
		return nil
	}
	return &a
}

// number reads an exact decimal that is not money: a string or a JSON number without exponent.
func (r reader) number(key string, required bool) *decimal.Decimal {
	v := r.raw(key, required)
	if v == nil {
		return nil
	}
	s := string(v)
	if v[0] == '"' {
		_ = json.Unmarshal(v, &s) // a string in a JSON object that was read
	} else if v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		r.note(key, `expected a decimal such as "1.5", got %s`, kind(v))
		return nil
	}
	d, err := parsePlain(s)
	if err != nil {
		r.note(key, "%v", err)
		return nil
	}
	return &d
}

func (r reader) duration(key string, least, most time.Duration) time.Duration {
	s := r.text(key, false, 40)
	if s == "" {
		return 0
	}
	d, err := parseDuration(s)
	if err != nil {
		r.note(key, `expected a duration such as "15m" or "PT15M", got %q`, clip(s, 40))
		return 0
	}
	if d < least || d > most {
		r.note(key, "expected %s to %s, got %s", least, most, d)
	}
	return d
}

// flag reads true or false; absent is false.
func (r reader) flag(key string) bool {
	v := r.raw(key, false)
	switch string(v) {
	case "true":
		return true
	case "", "false":
	default:
		r.note(key, "expected true or false, got %s", kind(v))
	}
	return false
}

func (r reader) list(key string, required bool) []json.RawMessage {
	l, _ := field[[]json.RawMessage](r, key, required, "a list")
	return l
}

func kind(v json.RawMessage) string {
	switch v[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a boolean"
	}
	return "the number " + clip(string(v), 40)
}

// Problem is one thing that is wrong with an event from outside: where, and what was expected.
type Problem struct{ Path, Expected string }

func (p Problem) Error() string { return p.Path + ": " + p.Expected }

// Problems are all things wrong with one event, so that a shop mends it once.
type Problems []Problem

const maxProblemsSaid = 10

func (ps Problems) Error() string {
	said := make([]string, 0, maxProblemsSaid+1)
	for i, p := range ps {
		if i == maxProblemsSaid {
			said = append(said, fmt.Sprintf("and %d more", len(ps)-i))
			break
		}
		said = append(said, p.Error())
	}
	return strings.Join(said, "; ")
}

func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
