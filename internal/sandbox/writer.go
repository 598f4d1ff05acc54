package sandbox

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"time"

	"github.com/govalues/decimal"
)

// writer writes the XML of an answer. Element names are written as they are, text is escaped.
type writer struct{ bytes.Buffer }

func (w *writer) open(name string) { w.WriteString("<" + name + ">") }

func (w *writer) close(name string) { w.WriteString("</" + name + ">") }

func (w *writer) leaf(name, text string) {
	w.open(name)
	_ = xml.EscapeText(w, []byte(text)) // a buffer takes everything
	w.close(name)
}

// optional leaves the element out if the text is empty.
func (w *writer) optional(name, text string) {
	if text != "" {
		w.leaf(name, text)
	}
}

func (w *writer) integer(name string, n int64) { w.leaf(name, strconv.FormatInt(n, 10)) }

// instant leaves the element out if t is zero.
func (w *writer) instant(name string, t time.Time) {
	if !t.IsZero() {
		w.leaf(name, t.Format("2006-01-02T15:04:05.000Z07:00"))
	}
}

func (w *writer) amount(name, currency string, value decimal.Decimal) {
	w.open(name)
	w.optional("currency", currency)
	w.leaf("value", value.String())
	w.close(name)
}
