package seqr

import (
	"bytes"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/govalues/decimal"
)

// children visits the elements directly inside the current one, up to its end. A visit may read its
// element or leave it. Elements of foreign namespaces and nil ones are passed over.
func (s *scanner) children(visit func(name []byte) error) error {
	inside := len(s.open)
	for {
		ev, err := s.next()
		switch {
		case err != nil:
			return err
		case ev == eventEnd:
			return nil
		case ev == eventText:
			continue
		}
		if !s.isNil && (len(s.space) == 0 || string(s.space) == serviceNamespace) {
			if err := visit(s.local); err != nil {
				return err
			}
		}
		if err := s.leave(inside); err != nil {
			return err
		}
	}
}

// leave passes over the rest of what is open deeper than the given depth.
func (s *scanner) leave(depth int) error {
	for len(s.open) > depth {
		if _, err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// text reads the current element's character data up to its end. What it gives is valid until the next
// text is read.
func (s *scanner) text() ([]byte, error) {
	inside := len(s.open)
	var whole []byte
	joined := false
	for {
		ev, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case ev == eventEnd:
			return whole, nil
		case ev == eventStart:
			if err := s.leave(inside); err != nil {
				return nil, err
			}
			continue
		}
		plain := s.literal || bytes.IndexByte(s.chunk, '&') < 0
		if whole == nil && plain && bytes.IndexByte(s.chunk, '\r') < 0 {
			whole = s.chunk
			continue
		}
		if !joined {
			joined = true
			whole = append(s.scratch[:0], whole...)
		}
		if whole, err = s.join(whole); err != nil {
			return nil, err
		}
		s.scratch = whole
	}
}

// join appends the chunk, unescaped and with its line ends made line feeds.
func (s *scanner) join(whole []byte) ([]byte, error) {
	chunk := s.chunk
	if bytes.IndexByte(chunk, '\r') >= 0 {
		chunk = bytes.ReplaceAll(chunk, []byte("\r\n"), []byte("\n"))
		chunk = bytes.ReplaceAll(chunk, []byte("\r"), []byte("\n"))
	}
	if s.literal {
		return append(whole, chunk...), nil
	}
	return s.appendUnescaped(whole, chunk)
}

// checkReferences refuses a text with an & that stands for nothing. Every text is checked, also one that
// nobody reads: what is not well formed is not to be believed in part.
func (s *scanner) checkReferences(raw []byte) error {
	for {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			return nil
		}
		raw = raw[i+1:]
		end := bytes.IndexByte(raw, ';')
		if end < 0 {
			return errors.New("an & that begins no reference")
		}
		if _, err := reference(raw[:end]); err != nil {
			return err
		}
		if err := s.spend(i + end); err != nil {
			return err
		}
		raw = raw[end+1:]
	}
}

// appendUnescaped resolves the references of a text that was checked.
func (s *scanner) appendUnescaped(b, raw []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(raw, '&')
		if i < 0 {
			return append(b, raw...), nil
		}
		b = append(b, raw[:i]...)
		raw = raw[i+1:]
		end := bytes.IndexByte(raw, ';')
		r, _ := reference(raw[:end])
		b = utf8.AppendRune(b, r)
		if err := s.spend(i + end); err != nil {
			return nil, err
		}
		raw = raw[end+1:]
	}
}

func reference(name []byte) (rune, error) {
	switch string(name) {
	case "lt":
		return '<', nil
	case "gt":
		return '>', nil
	case "amp":
		return '&', nil
	case "quot":
		return '"', nil
	case "apos":
		return '\'', nil
	}
	digits, numeric := bytes.CutPrefix(name, []byte("#"))
	base := 10
	if hex, ok := bytes.CutPrefix(digits, []byte("x")); ok {
		digits, base = hex, 16
	}
	if n, err := strconv.ParseUint(string(digits), base, 32); numeric && err == nil && n <= utf8.MaxRune && isCharacter(rune(n)) {
		return rune(n), nil
	}
	return 0, errors.New("an unknown reference")
}

func (s *scanner) str() (string, error) {
	b, err := s.text()
	return string(b), err
}

// into reads a text into a field.
func (s *scanner) into(field *string) (err error) {
	*field, err = s.str()
	return err
}

// token reads a text whose surrounding white space means nothing.
func (s *scanner) token() ([]byte, error) {
	b, err := s.text()
	return trim(b), err
}

func (s *scanner) tokenInto(field *string) error {
	b, err := s.token()
	*field = string(b)
	return err
}

func (s *scanner) integer() (int, error) {
	b, err := s.token()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(b), 10, 32)
	if err != nil {
		return 0, errors.New("expected a whole number")
	}
	return int(n), nil
}

// maxDecimalDigits are as many as a decimal.Decimal holds without rounding.
const maxDecimalDigits = 19

func (s *scanner) decimal() (decimal.Decimal, error) {
	b, err := s.token()
	if err != nil {
		return decimal.Decimal{}, err
	}
	return parseDecimal(b)
}

// parseDecimal reads an xs:decimal, and an exponent too, which careless stacks write. It refuses what it
// would have to round.
func parseDecimal(b []byte) (decimal.Decimal, error) {
	digits := 0
	for _, c := range b {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	d, err := decimal.Parse(string(b))
	if err != nil || digits > maxDecimalDigits {
		return decimal.Decimal{}, errors.New("expected an exact decimal")
	}
	return d, nil
}

// time reads an xs:dateTime, as UTC when it names no zone. It is zero when the text is none: no payment
// hangs on a date.
func (s *scanner) time() (time.Time, error) {
	b, err := s.token()
	if err != nil {
		return time.Time{}, err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, string(b)); err == nil {
			return t, nil
		}
	}
	return time.Time{}, nil
}
