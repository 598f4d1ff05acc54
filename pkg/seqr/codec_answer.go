package seqr

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// answer is what every operation's answer has.
type answer struct {
	ersReference string
	code         ResultCode
	description  string
}

// decodeAnswer reads the answer to one operation. Elements of <return> that are not common to all go to
// read. A SOAP fault comes back as a *Fault. A large answer is given up when ctx is over.
func decodeAnswer(ctx context.Context, data []byte, operation string, read func(*scanner, []byte) error) (answer, error) {
	var a answer
	s, err := newScanner(ctx, data)
	if err != nil {
		return a, malformed(err)
	}
	found := false
	err = s.envelope(func() error {
		switch {
		case string(s.space) == envelopeNamespace && string(s.local) == "Fault":
			return s.fault()
		case string(s.space) != serviceNamespace || string(s.local) != operation+"Response":
			return errors.New("it answers something else")
		}
		found, err = s.returned(&a, read)
		return err
	})
	switch {
	case err != nil:
		return answer{}, malformed(err)
	case !found:
		return answer{}, malformed(errors.New("no resultCode"))
	}
	return a, nil
}

// malformed quotes nothing of the answer, nor do the errors that it wraps: an answer may repeat a password.
func malformed(err error) error {
	var fault *Fault
	if errors.As(err, &fault) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	return fmt.Errorf("not a usable SOAP answer: %w", err)
}

// envelope calls visit at the first element of the body, and sees that the document ends as it should.
func (s *scanner) envelope(visit func() error) error {
	if _, err := s.next(); err != nil {
		return err
	}
	if string(s.space) != envelopeNamespace || string(s.local) != "Envelope" {
		return errors.New("it is no SOAP 1.1 envelope")
	}
	bodies := 0
	err := s.elements(func() error {
		if string(s.space) != envelopeNamespace || string(s.local) != "Body" {
			return nil
		}
		if bodies++; bodies > 1 {
			return errors.New("a second body")
		}
		return s.first(visit)
	})
	if err != nil {
		return err
	}
	if bodies == 0 {
		return errors.New("no body")
	}
	if _, err := s.next(); err != nil {
		return err
	}
	return nil
}

// first visits the first element inside the current one.
func (s *scanner) first(visit func() error) error {
	visited := false
	return s.elements(func() error {
		if visited {
			return nil
		}
		visited = true
		return visit()
	})
}

// elements visits the elements directly inside the current one whatever their namespace.
func (s *scanner) elements(visit func() error) error {
	inside := len(s.open)
	for {
		switch ev, err := s.next(); {
		case err != nil:
			return err
		case ev == eventEnd:
			return nil
		case ev == eventStart:
			if err := visit(); err != nil {
				return err
			}
			if err := s.leave(inside); err != nil {
				return err
			}
		}
	}
}

// returned reads <return>, and reports whether there was a result code.
func (s *scanner) returned(a *answer, read func(*scanner, []byte) error) (bool, error) {
	var seen once
	err := s.children(func(name []byte) error {
		if string(name) != "return" {
			return nil
		}
		return s.children(func(name []byte) error {
			if err := seen.add(name); err != nil {
				return err
			}
			if err := s.common(a, name, read); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	})
	return seen.has("resultCode"), err
}

func (s *scanner) common(a *answer, name []byte, read func(*scanner, []byte) error) error {
	switch string(name) {
	case "ersReference":
		return s.tokenInto(&a.ersReference)
	case "resultCode":
		n, err := s.integer()
		a.code = ResultCode(n)
		return err
	case "resultDescription":
		return s.into(&a.description)
	}
	if read != nil {
		return read(s, name)
	}
	return nil
}

// once refuses a second one of what decides something: nobody could say which of the two counts. Other
// elements may come as often as a newer provider likes.
type once uint

var deciding = [...]string{
	"resultCode", "ersReference", "invoiceReference", "status", "version", "receipt",
	"terminalId", "transactionPeriodId", "report",
}

func (o *once) add(name []byte) error {
	for i, d := range deciding {
		if string(name) != d {
			continue
		}
		if *o&(1<<i) != 0 {
			return fmt.Errorf("more than one %s", name)
		}
		*o |= 1 << i
	}
	return nil
}

func (o *once) has(name string) bool {
	for i, d := range deciding {
		if name == d {
			return *o&(1<<i) != 0
		}
	}
	return false
}

func (s *scanner) fault() error {
	var f Fault
	err := s.elements(func() (err error) {
		switch string(s.local) {
		case "faultcode":
			f.Code, err = s.str()
		case "faultstring":
			f.Text, err = s.str()
		}
		return err
	})
	if err != nil {
		return err
	}
	return &f
}

const maxProse = 500

// shorten keeps a provider's words to what a log line can bear.
func shorten(text string) string {
	if len(text) > maxProse {
		return strings.ToValidUTF8(text[:maxProse], "") + "…"
	}
	return text
}
