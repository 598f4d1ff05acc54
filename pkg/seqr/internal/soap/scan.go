package soap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

const (
	// These keep the cost of a document in proportion to its length: each attribute is compared with the others of
	// its tag, and each prefix with the declarations in force.
	maxAttributes   = 64 // of one tag
	maxDeclarations = 64 // of namespaces, in force at once

	// MaxDepth is how many elements may be open inside one another.
	MaxDepth = 64

	alwaysDecoded = 1 << 20 // bytes; a document of up to this size is read whatever the time
	checkEvery    = 1 << 20 // bytes of work, after which the context is looked at once the piece at hand is done
)

// event is what the scanner stopped at.
type event int

const (
	eventStart event = iota // of an element; see space, local and isNil
	eventEnd                // of the innermost open element
	eventText               // a piece of character data; see chunk
	eventDone               // the end of the document
)

// Scanner reads one XML document in memory, from its start to its end. It accepts what SOAP stacks write, and refuses
// documents that are not well formed or have a document type declaration. It belongs to one goroutine.
type Scanner struct {
	data []byte
	pos  int
	err  error // the first error, which every later call returns

	ctx  context.Context
	left int // bytes of work until ctx is looked at

	open       []element
	bindings   []binding // of namespace prefixes, innermost last
	attributes []attribute
	pending    bool // an empty-element tag owes its end
	started    bool // the root element was seen

	space, local []byte // of the element just started
	isNil        bool   // it has xsi:nil="true"
	chunk        []byte // the text just read, unescaped
}

type element struct {
	name     []byte // as written, with its prefix
	bindings int    // how many bindings were in force outside it
}

type binding struct{ prefix, uri []byte }

type attribute struct{ name, value []byte }

// newScanner refuses a document that is not text. The work on a large document ends when ctx is over.
func newScanner(ctx context.Context, data []byte) (*Scanner, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(data) <= alwaysDecoded {
		ctx = context.Background()
	}
	s := &Scanner{data: data, ctx: ctx, left: checkEvery}
	if err := errors.Join(checkCharacters(data), s.spend(len(data))); err != nil {
		return nil, err
	}
	if isDeclaration(data) {
		end := bytes.Index(data, []byte("?>"))
		if end < 0 {
			return nil, errors.New("an XML declaration without an end")
		}
		s.pos = end + 2
	}
	return s, nil
}

// isDeclaration tells whether data begins with an XML declaration.
func isDeclaration(data []byte) bool {
	return bytes.HasPrefix(data, []byte("<?xml")) && len(data) > 5 && isSpace(data[5])
}

// spend counts n bytes of work. Its error is the context's.
func (s *Scanner) spend(n int) error {
	if s.left -= n; s.left > 0 {
		return nil
	}
	s.left = checkEvery
	return s.ctx.Err()
}

func checkCharacters(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("not valid UTF-8")
	}
	for _, c := range data {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' {
			return fmt.Errorf("the control character %#x", c)
		}
	}
	if bytes.Contains(data, []byte("\uFFFE")) || bytes.Contains(data, []byte("\uFFFF")) {
		return errors.New("a character that XML does not allow")
	}
	return nil
}

// next moves to the next event. It skips comments and processing instructions.
func (s *Scanner) next() (event, error) {
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

func (s *Scanner) advance() (event, error) {
	if s.pending {
		s.pending = false
		s.pop()
		return eventEnd, nil
	}
	for s.pos < len(s.data) {
		rest := s.data[s.pos:]
		var err error
		switch {
		case rest[0] != '<':
			if err = s.characters(); err == nil && len(s.open) > 0 {
				return eventText, nil
			}
		case bytes.HasPrefix(rest, []byte("<!--")):
			err = s.comment()
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			return eventText, s.cdata()
		case bytes.HasPrefix(rest, []byte("<!")):
			err = errors.New("document type declarations are refused")
		case bytes.HasPrefix(rest, []byte("<?")):
			err = s.instruction()
		case bytes.HasPrefix(rest, []byte("</")):
			return eventEnd, s.endTag()
		default:
			return eventStart, s.startTag()
		}
		if err != nil {
			return 0, err
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

// characters reads text up to the next tag. Outside the root element only white space is allowed.
func (s *Scanner) characters() (err error) {
	text := s.data[s.pos:]
	if n := bytes.IndexByte(text, '<'); n >= 0 {
		text = text[:n]
	}
	s.pos += len(text)
	if len(s.open) == 0 && len(trim(text)) > 0 {
		return errors.New("text outside the root element")
	}
	if bytes.Contains(text, []byte("]]>")) {
		return errors.New("]]> in a text")
	}
	s.chunk, err = unescape(text, "&\r")
	return err
}

func (s *Scanner) cdata() (err error) {
	if len(s.open) == 0 {
		return errors.New("CDATA outside the root element")
	}
	rest := s.data[s.pos+9:]
	n := bytes.Index(rest, []byte("]]>"))
	if n < 0 {
		return errors.New("CDATA without an end")
	}
	s.pos += 9 + n + 3
	s.chunk, err = unescape(rest[:n], "\r")
	return err
}

func (s *Scanner) comment() error {
	rest := s.data[s.pos+4:]
	n := bytes.Index(rest, []byte("--"))
	if n < 0 || n+2 >= len(rest) || rest[n+2] != '>' {
		return errors.New("a malformed comment")
	}
	s.pos += 4 + n + 3
	return nil
}

func (s *Scanner) instruction() error {
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

// unescape resolves references and makes line ends line feeds, as far as they begin with a byte of special. It copies
// only a text that has any.
func unescape(raw []byte, special string) ([]byte, error) {
	i := bytes.IndexAny(raw, special)
	if i < 0 {
		return raw, nil
	}
	b := make([]byte, 0, len(raw))
	for ; i >= 0; i = bytes.IndexAny(raw, special) {
		b = append(b, raw[:i]...)
		raw = raw[i:]
		if raw[0] == '\r' {
			b = append(b, '\n')
			raw = bytes.TrimPrefix(raw[1:], []byte("\n"))
			continue
		}
		end := bytes.IndexByte(raw, ';')
		if end < 0 {
			return nil, errors.New("an & that begins no reference")
		}
		r, err := resolve(raw[1:end])
		if err != nil {
			return nil, err
		}
		b = utf8.AppendRune(b, r)
		raw = raw[end+1:]
	}
	return append(b, raw...), nil
}
