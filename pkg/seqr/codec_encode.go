package seqr

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/govalues/decimal"
)

const (
	serviceNamespace  = "http://external.interfaces.ers.seamless.com/"
	envelopeNamespace = "http://schemas.xmlsoap.org/soap/envelope/"

	envelopeHead = `<?xml version="1.0" encoding="UTF-8"?>` +
		`<soapenv:Envelope xmlns:soapenv="` + envelopeNamespace + `" xmlns:ext="` + serviceNamespace + `"><soapenv:Body>`
	envelopeTail = `</soapenv:Body></soapenv:Envelope>`

	dateTime = "2006-01-02T15:04:05.000Z07:00"
)

// encoder appends XML to a buffer. Element names are ours, texts are anybody's.
type encoder struct {
	b      []byte
	masked bool // secrets show as "***"
}

// encode writes the call's envelope into out.
func (k call) encode(config Config, out *buffer, masked bool) {
	e := encoder{b: append(out.b[:0], envelopeHead...), masked: masked}
	e.open("ext:" + k.operation)
	if k.as != nil {
		e.context(config, *k.as)
	}
	if k.write != nil {
		k.write(&e)
	}
	e.close("ext:" + k.operation)
	out.b = append(e.b, envelopeTail...)
}

func (e *encoder) open(name string) {
	e.b = append(e.b, '<')
	e.b = append(e.b, name...)
	e.b = append(e.b, '>')
}

func (e *encoder) close(name string) {
	e.b = append(e.b, '<', '/')
	e.b = append(e.b, name...)
	e.b = append(e.b, '>')
}

// text writes an element, also when it is empty.
func (e *encoder) text(name, value string) {
	e.open(name)
	e.b = appendEscaped(e.b, value)
	e.close(name)
}

// optional writes an element unless it is empty.
func (e *encoder) optional(name, value string) {
	if value != "" {
		e.text(name, value)
	}
}

func (e *encoder) secret(name string, s Secret) {
	if e.masked {
		e.text(name, masked)
	} else {
		e.text(name, s.Reveal())
	}
}

func (e *encoder) integer(name string, n int64) {
	e.open(name)
	e.b = strconv.AppendInt(e.b, n, 10)
	e.close(name)
}

func (e *encoder) decimal(name string, d decimal.Decimal) { e.text(name, d.String()) }

func (e *encoder) time(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	e.open(name)
	e.b = t.AppendFormat(e.b, dateTime)
	e.close(name)
}

func (e *encoder) base64(name string, data []byte) {
	e.open(name)
	e.b = base64.StdEncoding.AppendEncode(e.b, data)
	e.close(name)
}

// parameters writes a parameterMap in the order of its keys, or nothing for none.
func (e *encoder) parameters(m map[string]string) {
	if len(m) == 0 {
		return
	}
	e.open("parameters")
	e.open("parameter")
	for _, key := range slices.Sorted(maps.Keys(m)) {
		e.open("entry")
		e.text("key", key)
		e.text("value", m[key])
		e.close("entry")
	}
	e.close("parameter")
	e.close("parameters")
}

// appendEscaped writes character data. What XML 1.0 has no way to say becomes U+FFFD.
func appendEscaped(b []byte, s string) []byte {
	plain := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if instead := escape(r, size); instead != "" {
			b = append(b, s[plain:i]...)
			b = append(b, instead...)
			plain = i + size
		}
		i += size
	}
	return append(b, s[plain:]...)
}

func escape(r rune, size int) string {
	switch {
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '\r':
		return "&#xD;" // a bare one would be read as a line feed
	case r == utf8.RuneError && size == 1, !isCharacter(r):
		return "\uFFFD"
	default:
		return ""
	}
}

// isCharacter tells whether XML 1.0 allows the character.
func isCharacter(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xD800:
		return true
	default:
		return r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
	}
}
