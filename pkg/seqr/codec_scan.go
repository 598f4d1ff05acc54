package seqr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

// These keep the cost of a document in proportion to its length: each attribute is compared with the others of
// its tag, and each prefix is looked for among the declarations in force.
const (
	maxDepth        = 64 // elements inside one another
	maxAttributes   = 64 // of one tag
	maxDeclarations = 64 // of namespaces, in force at once
)

// event is what the scanner stopped at.
type event int

const (
	eventStart event = iota // of an element; see space, local and isNil
	eventEnd                // of the innermost open element
	eventText               // a piece of character data; see chunk
	eventDone               // the end of the document
)

// scanner is a pull parser for one XML document in memory. It takes what real SOAP stacks write, refuses
// documents that are not well formed or use a DTD, and never copies what need not be unescaped.
type scanner struct {
	meter
	data []byte
	pos  int

	open     []element
	bindings []binding // of namespace prefixes, innermost last
	pending  bool      // an empty-element tag owes its end
	started  bool      // the root element was seen

	space, local []byte // of the element just started
	isNil        bool   // it has xsi:nil="true"
	chunk        []byte // raw character data
	literal      bool   // the chunk is CDATA: nothing in it is escaped
	scratch      []byte // joins and unescapes texts
	attributes   []attribute
	err          error // the first error is the last word
}

type element struct {
	name     []byte // as written, with its prefix
	bindings int    // how many bindings were in force outside it
}

type binding struct{ prefix, uri []byte }

type attribute struct{ name, value []byte }

// newScanner refuses at once what is not text. The scanner of a large document gives up when ctx is over.
func newScanner(ctx context.Context, data []byte) (*scanner, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	s := &scanner{meter: newMeter(ctx, len(data)), data: data}
	if err := s.checkText(); err != nil {
		return nil, err
	}
	if err := s.declaration(); err != nil {
		return nil, err
	}
	return s, nil
}

// checkText goes through the document block by block, to look at the time between them.
func (s *scanner) checkText() error {
	for rest := s.data; len(rest) > 0; {
		n := min(len(rest), lookEvery)
		for end := n; n < len(rest) && n > end-utf8.UTFMax && !utf8.RuneStart(rest[n]); {
			n-- // no character is parted
		}
		if err := checkCharacters(rest[:n]); err != nil {
			return err
		}
		if err := s.spend(n); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func checkCharacters(block []byte) error {
	if !utf8.Valid(block) {
		return errors.New("not valid UTF-8")
	}
	for _, c := range block {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' {
			return fmt.Errorf("the control character %#x", c)
		}
	}
	if bytes.Contains(block, []byte("\uFFFE")) || bytes.Contains(block, []byte("\uFFFF")) {
		return errors.New("a character that XML does not allow")
	}
	return nil
}

// declaration passes over <?xml …?>, which may stand nowhere but at the start.
func (s *scanner) declaration() error {
	if !isDeclaration(s.data) {
		return nil
	}
	end := bytes.Index(s.data, []byte("?>"))
	if end < 0 {
		return errors.New("an XML declaration without an end")
	}
	s.pos = end + 2
	return nil
}

func isDeclaration(data []byte) bool {
	return bytes.HasPrefix(data, []byte("<?xml")) && len(data) > 5 && isSpace(data[5])
}

// next moves to the next event, passing over comments and processing instructions.
func (s *scanner) next() (event, error) {
	if s.err != nil {
		return 0, s.err
	}
	from := s.pos
	var ev event
	if ev, s.err = s.advance(); s.err == nil {
		s.err = s.spend(s.pos - from)
	}
	return ev, s.err
}

func (s *scanner) advance() (event, error) {
	if s.pending {
		s.pending = false
		s.pop()
		return eventEnd, nil
	}
	for s.pos < len(s.data) {
		if s.data[s.pos] != '<' {
			if err := s.characters(); err != nil {
				return 0, err
			}
			if len(s.open) > 0 {
				return eventText, nil
			}
			continue
		}
		rest := s.data[s.pos:]
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			if err := s.comment(); err != nil {
				return 0, err
			}
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			return eventText, s.cdata()
		case bytes.HasPrefix(rest, []byte("<!")):
			return 0, errors.New("document type declarations are refused")
		case bytes.HasPrefix(rest, []byte("<?")):
			if err := s.instruction(); err != nil {
				return 0, err
			}
		case bytes.HasPrefix(rest, []byte("</")):
			return eventEnd, s.endTag()
		default:
			return eventStart, s.startTag()
		}
	}
	switch {
	case len(s.open) > 0:
		return 0, errors.New("the document ends inside an element")
	case !s.started:
		return 0, errors.New("no element at all")
	}
	return eventDone, nil
}

// characters takes text up to the next tag. Outside the root only white space may stand.
func (s *scanner) characters() error {
	rest := s.data[s.pos:]
	n := bytes.IndexByte(rest, '<')
	if n < 0 {
		n = len(rest)
	}
	text := rest[:n]
	s.pos += n
	if len(s.open) == 0 && len(trim(text)) > 0 {
		return errors.New("text outside the root element")
	}
	if bytes.Contains(text, []byte("]]>")) {
		return errors.New("]]> in a text")
	}
	s.chunk, s.literal = text, false
	return s.checkReferences(text)
}

func (s *scanner) comment() error {
	rest := s.data[s.pos+4:]
	n := bytes.Index(rest, []byte("--"))
	if n < 0 || n+2 >= len(rest) || rest[n+2] != '>' {
		return errors.New("a malformed comment")
	}
	s.pos += 4 + n + 3
	return nil
}

func (s *scanner) cdata() error {
	if len(s.open) == 0 {
		return errors.New("CDATA outside the root element")
	}
	rest := s.data[s.pos+9:]
	n := bytes.Index(rest, []byte("]]>"))
	if n < 0 {
		return errors.New("CDATA without an end")
	}
	s.chunk, s.literal = rest[:n], true
	s.pos += 9 + n + 3
	return nil
}

func (s *scanner) instruction() error {
	rest := s.data[s.pos:]
	if isDeclaration(rest) {
		return errors.New("an XML declaration that is not at the start")
	}
	n := bytes.Index(rest[2:], []byte("?>"))
	if n < 0 {
		return errors.New("a processing instruction without an end")
	}
	if end := nameEnd(rest[2 : 2+n]); end == 0 {
		return errors.New("a processing instruction without a name")
	}
	s.pos += 2 + n + 2
	return nil
}
