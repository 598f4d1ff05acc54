package sandbox

import (
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/govalues/decimal"
)

// writer appends XML. Element names are ours and written as they are; text is escaped.
type writer struct{ b []byte }

var writers = sync.Pool{New: func() any { return &writer{b: make([]byte, 0, 2048)} }}

func newWriter() *writer {
	w := writers.Get().(*writer)
	w.b = w.b[:0]
	return w
}

// done gives the memory back; a report's megabytes are left to the collector.
func (w *writer) done() {
	if cap(w.b) <= 1<<16 {
		writers.Put(w)
	}
}

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

func (w *writer) open(name string) {
	w.b = append(w.b, '<')
	w.b = append(w.b, name...)
	w.b = append(w.b, '>')
}

func (w *writer) close(name string) {
	w.b = append(w.b, '<', '/')
	w.b = append(w.b, name...)
	w.b = append(w.b, '>')
}

func (w *writer) leaf(name, text string) {
	w.open(name)
	w.b = appendEscaped(w.b, text)
	w.close(name)
}

// optional leaves the element out where there is nothing to say.
func (w *writer) optional(name, text string) {
	if text != "" {
		w.leaf(name, text)
	}
}

func (w *writer) integer(name string, n int64) {
	w.open(name)
	w.b = strconv.AppendInt(w.b, n, 10)
	w.close(name)
}

func (w *writer) instant(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	w.open(name)
	w.b = t.AppendFormat(w.b, "2006-01-02T15:04:05.000Z07:00")
	w.close(name)
}

func (w *writer) amount(name, currency string, value decimal.Decimal) {
	w.open(name)
	w.optional("currency", currency)
	w.leaf("value", value.String())
	w.close(name)
}

// appendEscaped writes character data; what XML cannot hold becomes U+FFFD.
func appendEscaped(b []byte, s string) []byte {
	plain := 0
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		instead := escape(r, size)
		if instead != "" {
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
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '&':
		return "&amp;"
	case r == '"':
		return "&quot;"
	case r == '\r':
		return "&#13;"
	case r < 0x20 && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF, r == utf8.RuneError && size == 1:
		return "\uFFFD"
	}
	return ""
}
