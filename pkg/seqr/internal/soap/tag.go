package soap

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

const schemaInstanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"

var (
	errTag       = errors.New("a malformed tag")
	errAttribute = errors.New("a malformed attribute")
	errPrefix    = errors.New("a namespace prefix that is not declared")
)

// startTag reads <name a="b"> or <name/>, and puts the element on the stack.
func (s *Scanner) startTag() error {
	if s.started && len(s.open) == 0 {
		return errors.New("a second root element")
	}
	if len(s.open) >= MaxDepth {
		return fmt.Errorf("more than %d elements inside one another", MaxDepth)
	}
	s.pos++
	name, err := s.name()
	if err != nil {
		return err
	}
	s.open = append(s.open, element{name: name, bindings: len(s.bindings)})
	s.started = true
	s.attributes = s.attributes[:0]
	for {
		spaced := s.skipSpace()
		switch c := s.peek(); {
		case c == '>':
			s.pos++
			return s.resolveNames(name)
		case c == '/':
			if s.pos++; s.peek() != '>' {
				return errTag
			}
			s.pos++
			s.pending = true
			return s.resolveNames(name)
		case !spaced:
			return errTag
		}
		if err := s.attribute(); err != nil {
			return err
		}
	}
}

func (s *Scanner) attribute() error {
	name, err := s.name()
	if err != nil {
		return err
	}
	if len(s.attributes) >= maxAttributes {
		return fmt.Errorf("more than %d attributes in one tag", maxAttributes)
	}
	for _, a := range s.attributes {
		if bytes.Equal(a.name, name) {
			return errors.New("an attribute given twice")
		}
	}
	s.skipSpace()
	if s.peek() != '=' {
		return errAttribute
	}
	s.pos++
	s.skipSpace()
	quote := s.peek()
	if quote != '"' && quote != '\'' {
		return errAttribute
	}
	s.pos++
	n := bytes.IndexByte(s.data[s.pos:], quote)
	if n < 0 {
		return errAttribute
	}
	value := s.data[s.pos : s.pos+n]
	s.pos += n + 1
	if bytes.IndexByte(value, '<') >= 0 {
		return errAttribute
	}
	if value, err = unescape(value, "&"); err != nil {
		return err
	}
	s.attributes = append(s.attributes, attribute{name, value})
	return nil
}

// resolveNames finds the namespace of the element just read, and whether it is nil.
func (s *Scanner) resolveNames(name []byte) error {
	for _, a := range s.attributes {
		if prefix, local := split(a.name); string(prefix) == "xmlns" {
			s.bindings = append(s.bindings, binding{local, a.value})
		} else if prefix == nil && string(local) == "xmlns" {
			s.bindings = append(s.bindings, binding{nil, a.value})
		}
	}
	if len(s.bindings) > maxDeclarations {
		return fmt.Errorf("more than %d namespace declarations in force", maxDeclarations)
	}
	prefix, local := split(name)
	space, ok := s.lookup(prefix)
	if !ok {
		return errPrefix
	}
	s.space, s.local, s.isNil = space, local, false
	for _, a := range s.attributes {
		prefix, local := split(a.name)
		if prefix == nil || string(prefix) == "xmlns" || string(prefix) == "xml" {
			continue
		}
		space, ok := s.lookup(prefix)
		if !ok {
			return errPrefix
		}
		if string(local) == "nil" && string(space) == schemaInstanceNamespace {
			value := string(trim(a.value))
			s.isNil = value == "true" || value == "1"
		}
	}
	return nil
}

func (s *Scanner) lookup(prefix []byte) ([]byte, bool) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if bytes.Equal(s.bindings[i].prefix, prefix) {
			return s.bindings[i].uri, len(s.bindings[i].uri) > 0 || prefix == nil
		}
	}
	return nil, prefix == nil
}

func (s *Scanner) endTag() error {
	s.pos += 2
	name, err := s.name()
	if err != nil {
		return err
	}
	s.skipSpace()
	if s.peek() != '>' {
		return errTag
	}
	s.pos++
	if len(s.open) == 0 || !bytes.Equal(s.open[len(s.open)-1].name, name) {
		return errors.New("an end tag that closes nothing")
	}
	s.pop()
	return nil
}

func (s *Scanner) pop() {
	last := len(s.open) - 1
	s.bindings = s.bindings[:s.open[last].bindings]
	s.open = s.open[:last]
}

func (s *Scanner) name() ([]byte, error) {
	rest := s.data[s.pos:]
	n := nameEnd(rest)
	if n == 0 || bytes.Count(rest[:n], []byte(":")) > 1 || rest[0] == ':' || rest[n-1] == ':' {
		return nil, errors.New("a malformed name")
	}
	s.pos += n
	return rest[:n], nil
}

func nameEnd(b []byte) int {
	for i, c := range b {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c == '_', c == ':', c >= 0x80:
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		default:
			return i
		}
	}
	return len(b)
}

// split divides a name into its prefix, which is nil when there is none, and the rest.
func split(name []byte) (prefix, local []byte) {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return nil, name
}

// resolve gives the character that a reference stands for, without its & and its semicolon.
func resolve(reference []byte) (rune, error) {
	switch string(reference) {
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
	digits, numeric := bytes.CutPrefix(reference, []byte("#"))
	base := 10
	if hex, ok := bytes.CutPrefix(digits, []byte("x")); ok {
		digits, base = hex, 16
	}
	if n, err := strconv.ParseUint(string(digits), base, 32); numeric && err == nil && n <= utf8.MaxRune && isCharacter(rune(n)) {
		return rune(n), nil
	}
	return 0, errors.New("an unknown reference")
}

// peek gives the next byte, or 0 at the end: no document has a 0.
func (s *Scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *Scanner) skipSpace() bool {
	from := s.pos
	for s.pos < len(s.data) && isSpace(s.data[s.pos]) {
		s.pos++
	}
	return s.pos > from
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// trim takes off XML's white space, and nothing else.
func trim(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }
