package soap

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/govalues/decimal"
)

// answer reads <return>, and reports whether there was a result code.
func (s *Scanner) answer(a *Answer, read func(*Scanner, []byte) error) (bool, error) {
	var seen uint
	err := s.Children(func(name []byte) error {
		if string(name) != "return" {
			return nil
		}
		return s.Children(func(name []byte) error {
			bit := decisiveBit(name)
			if seen&bit != 0 {
				return fmt.Errorf("more than one %s", name)
			}
			seen |= bit
			if err := s.field(a, name, read); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	})
	return seen&decisiveBit([]byte("resultCode")) != 0, err
}

func (s *Scanner) field(a *Answer, name []byte, read func(*Scanner, []byte) error) (err error) {
	switch string(name) {
	case "ersReference":
		a.ErsReference, err = s.Token()
	case "resultCode":
		a.ResultCode, err = s.Int()
	case "resultDescription":
		a.Description, err = s.Text()
	default:
		if read != nil {
			err = read(s, name)
		}
	}
	return err
}

// decisive are the elements of <return> that may come only once: of two, nothing says which counts. Others may come as
// often as a newer provider likes.
var decisive = [...]string{
	"resultCode", "ersReference", "invoiceReference", "status", "version", "receipt",
	"terminalId", "transactionPeriodId", "report",
}

// decisiveBit is a bit for each decisive element, and 0 for every other.
func decisiveBit(name []byte) uint {
	for i, d := range decisive {
		if string(name) == d {
			return 1 << i
		}
	}
	return 0
}

func (s *Scanner) fault() error {
	var f Fault
	err := s.Elements(func(name []byte) (err error) {
		switch string(name) {
		case "faultcode":
			f.Code, err = s.Text()
		case "faultstring":
			f.Text, err = s.Text()
		}
		return err
	})
	if err != nil {
		return err
	}
	return &f
}

// Children calls visit at the start of each element directly inside the current one, and returns at the end of the
// current one. visit may read the element with one of the methods below, or leave it. Elements that are nil or in a
// foreign namespace are skipped. name is valid until visit returns.
func (s *Scanner) Children(visit func(name []byte) error) error {
	return s.Elements(func(name []byte) error {
		if s.isNil || len(s.space) > 0 && string(s.space) != ServiceNamespace {
			return nil
		}
		return visit(name)
	})
}

// Elements is Children without a look at namespaces and xsi:nil.
func (s *Scanner) Elements(visit func(name []byte) error) error {
	inside := len(s.open)
	for {
		switch ev, err := s.next(); {
		case err != nil:
			return err
		case ev == eventEnd:
			return nil
		case ev == eventStart:
			if err := visit(s.local); err != nil {
				return err
			}
			if err := s.leave(inside); err != nil {
				return err
			}
		}
	}
}

// leave skips the rest of every element that is open deeper than depth.
func (s *Scanner) leave(depth int) error {
	for len(s.open) > depth {
		if _, err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scanner) is(space, local string) bool {
	return string(s.space) == space && string(s.local) == local
}

// Bytes reads the text of the current element, without what is in elements inside it. The result may share the
// document's memory.
func (s *Scanner) Bytes() ([]byte, error) {
	inside := len(s.open)
	var whole []byte
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
		case whole == nil:
			whole = slices.Clip(s.chunk) // what is appended goes to memory of its own
		default:
			whole = append(whole, s.chunk...)
		}
	}
}

// Text reads the text of the current element.
func (s *Scanner) Text() (string, error) {
	b, err := s.Bytes()
	return string(b), err
}

// Token reads the text of the current element without the white space around it.
func (s *Scanner) Token() (string, error) {
	b, err := s.Bytes()
	return string(trim(b)), err
}

// Int reads a whole number of 32 bits.
func (s *Scanner) Int() (int, error) {
	token, err := s.Token()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(token, 10, 32)
	if err != nil {
		return 0, errors.New("expected a whole number")
	}
	return int(n), nil
}

const maxDecimalDigits = 19 // as many as a decimal.Decimal holds without rounding

// Decimal reads an xs:decimal, also with an exponent, which some stacks write. It refuses a number of more than 19
// digits, since that would be rounded.
func (s *Scanner) Decimal() (decimal.Decimal, error) {
	token, err := s.Token()
	if err != nil {
		return decimal.Decimal{}, err
	}
	digits := 0
	for _, c := range token {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	d, err := decimal.Parse(token)
	if err != nil || digits > maxDecimalDigits {
		return decimal.Decimal{}, errors.New("expected an exact decimal")
	}
	return d, nil
}

// Time reads an xs:dateTime, as UTC when it names no zone. A text that is none gives the zero time and no error: no
// payment depends on a date.
func (s *Scanner) Time() (time.Time, error) {
	token, err := s.Token()
	if err != nil {
		return time.Time{}, err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, token); err == nil {
			return t, nil
		}
	}
	return time.Time{}, nil
}

// Base64 reads binary data, with white space anywhere in it.
func (s *Scanner) Base64() ([]byte, error) {
	text, err := s.Bytes()
	if err != nil {
		return nil, err
	}
	data := slices.DeleteFunc(slices.Clone(text), isSpace)
	n, err := base64.StdEncoding.Decode(data, data) // in place: what is written never passes what is read
	if err != nil {
		return nil, errors.New("malformed base64")
	}
	return data[:n], s.spend(len(text))
}
