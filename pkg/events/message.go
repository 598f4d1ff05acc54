package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Envelope is a CloudEvents 1.0 event in structured JSON. Its id is also the message's
// Nats-Msg-Id, its type "seqrflow.<kind>.<event>.v1", its source "/seqrflow/<worker>".
type Envelope struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	TraceParent     string          `json:"traceparent,omitempty"`
	Data            json.RawMessage `json:"data"`
}

// NewEnvelope wraps data as one event.
func NewEnvelope(id, source, kind, subject string, at time.Time, data any) (Envelope, error) {
	encode := func() ([]byte, error) { return Encode(data) }
	if own, ok := data.(json.Marshaler); ok {
		encode = own.MarshalJSON // json.Marshal would read its result once more
	}
	body, err := encode()
	return Envelope{
		SpecVersion: "1.0", ID: id, Source: source, Type: TypeOf(kind), Subject: subject,
		Time: at.UTC(), DataContentType: "application/json", Data: body,
	}, err
}

// TypeOf gives the CloudEvents type of an event such as "invoice.paid".
func TypeOf(kind string) string { return "seqrflow." + kind + ".v1" }

// Message is an event as it came: a subject, headers and a body.
type Message struct {
	Subject string
	Header  map[string][]string
	Body    []byte
}

// Address takes the message's subject apart; the order's name is checked too.
func (m Message) Address() (Address, error) {
	a, err := ParseSubject(m.Subject)
	if err != nil {
		return a, err
	}
	switch OrderName(a.Event) {
	case Placed, OrderCanceled, Returned:
		return a, nil
	}
	return a, Problem{"subject", fmt.Sprintf("the event %q is not one of placed, canceled, returned", a.Event)}
}

// TraceParent finds the W3C trace context wherever the publisher put it.
func (m Message) TraceParent() string {
	for _, name := range []string{"traceparent", "ce-traceparent"} {
		if v := m.header(name); v != "" {
			return v
		}
	}
	var e struct {
		TraceParent string `json:"traceparent"`
	}
	if json.Unmarshal(m.Body, &e) != nil {
		return ""
	}
	return e.TraceParent
}

func (m Message) header(name string) string {
	if v := m.Header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// open finds the data object in the message: in a structured CloudEvent, beside the ce- headers of
// binary mode, or bare. What the envelope says of itself is checked against the subject.
func (m Message) open(name OrderName) (reader, *Problems) {
	ps := &Problems{}
	if len(m.Body) > MaxOrderBytes {
		*ps = append(*ps, Problem{"body", fmt.Sprintf("expected at most %d bytes, got %d", MaxOrderBytes, len(m.Body))})
		return reader{problems: ps}, ps
	}
	wantType := TypeOf("order." + string(name))
	if m.header("ce-specversion") != "" {
		m.checkHeader(ps, "ce-specversion", "1.0")
		m.checkHeader(ps, "ce-type", wantType)
		return readObject("", m.Body, ps), ps
	}
	outer := readObject("", m.Body, ps)
	if outer.raw("specversion", false) == nil {
		return outer, ps
	}
	if v := outer.text("specversion", true, 10); v != "1.0" && v != "" {
		outer.note("specversion", `expected "1.0", got %q`, v)
	}
	if v := outer.text("type", true, 200); v != wantType && v != "" {
		outer.note("type", "expected %q, got %q", wantType, v)
	}
	data := outer.raw("data", true)
	if data == nil {
		return reader{prefix: "data", problems: ps}, ps
	}
	return readObject("data", data, ps), ps
}

func (m Message) checkHeader(ps *Problems, name, want string) {
	v, err := url.PathUnescape(m.header(name))
	if err != nil || v != want {
		*ps = append(*ps, Problem{"header " + name, fmt.Sprintf("expected %q, got %q", want, clip(v, 80))})
	}
}

// matches notes ids that are not those of the subject.
func (m Message) matches(r reader, shop, order string) {
	a, err := ParseSubject(m.Subject)
	if err != nil {
		var p Problem
		errors.As(err, &p)
		*r.problems = append(*r.problems, p)
		return
	}
	if a.Kind != "orders" {
		*r.problems = append(*r.problems, Problem{"subject", fmt.Sprintf("expected orders.<shop>.<order>.<event>, got %q", m.Subject)})
	}
	if shop != "" && Token(shop) != a.Shop {
		r.note("shop", "expected the subject's shop: %q has the token %q, the subject %q", clip(shop, 80), Token(shop), a.Shop)
	}
	if order != "" && Token(order) != a.ID {
		r.note("orderId", "expected the subject's order: %q has the token %q, the subject %q", clip(order, 80), Token(order), a.ID)
	}
}

// Encode writes a value as JSON without escaping <, > and &: no event stands in an HTML page, and an order full of them
// would grow sixfold, beyond what a broker takes.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
