// Package orderfile reads order events as people and shops write them down: bare order data, whole
// CloudEvents, or the data with a "type", one after another in a file.
package orderfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Event is one order event that is ready to be published.
type Event struct {
	Line    int // where it begins in the file
	Name    events.OrderName
	Shop    string
	Order   string
	Invoice string // the order's id unless the event names another
	ID      string // of a CloudEvent; "" for the rest
	Body    []byte // as published: the CloudEvent, or the bare data
}

// Subject that the event is published on.
func (e Event) Subject() string { return events.OrderSubject(e.Shop, e.Order, e.Name) }

// Key of the invoice that the event is about.
func (e Event) Key() events.Key { return events.KeyOf(e.Shop, e.Invoice) }

// Check decodes the event just as the workers will; the error is all [events.Problems].
func (e Event) Check() error {
	return CheckMessage(events.Message{Subject: e.Subject(), Body: e.Body})
}

// CheckMessage decodes an order event as the workers will, by the name in its subject.
func CheckMessage(m events.Message) error {
	a, err := m.Address()
	if err != nil {
		return err
	}
	switch events.OrderName(a.Event) {
	case events.OrderCanceled:
		_, err = events.DecodeCancellation(m)
	case events.Returned:
		_, err = events.DecodeReturn(m)
	default:
		_, err = events.DecodeOrder(m)
	}
	return err
}

// Read takes one event after another. The name says what bare data is; a CloudEvent's type and a
// "type" beside the data say it themselves. It stops at the first value that is not a JSON object
// or that does not say which order it is about: there is no subject for it.
func Read(r io.Reader, bare events.OrderName) ([]Event, error) {
	whole, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	whole = bytes.TrimPrefix(whole, []byte("\xef\xbb\xbf"))
	dec := json.NewDecoder(bytes.NewReader(whole))
	var out []Event
	for {
		var v json.RawMessage
		begin := begins(whole, dec.InputOffset())
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return out, fmt.Errorf("line %d: expected a JSON object: %w", lineAt(whole, errorAt(err, begin)), err)
		}
		e, err := Parse(v, bare)
		if e.Line = lineAt(whole, begin); err != nil {
			return out, fmt.Errorf("line %d: %w", e.Line, err)
		}
		out = append(out, e)
	}
}

// begins skips the white space before the next value.
func begins(whole []byte, at int64) int64 {
	rest := whole[at:]
	return at + int64(len(rest)-len(bytes.TrimLeft(rest, " \t\r\n")))
}

func errorAt(err error, begin int64) int64 {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return max(syntax.Offset-1, begin)
	}
	return begin
}

func lineAt(whole []byte, at int64) int {
	return bytes.Count(whole[:min(at, int64(len(whole)))], []byte("\n")) + 1
}

// Parse reads one event.
func Parse(body []byte, bare events.OrderName) (Event, error) {
	e := Event{Name: bare, Body: body}
	fields, err := object(body)
	if err != nil {
		return e, err
	}
	data := fields
	kind, typed := text(fields, "type")
	_, cloud := fields["specversion"]
	if typed {
		if e.Name, err = nameOf(kind); err != nil {
			return e, err
		}
	}
	if inner, ok := fields["data"]; ok && (cloud || typed) {
		if data, err = object(inner); err != nil {
			return e, fmt.Errorf("data: %w", err)
		}
		if !cloud {
			e.Body = inner
		}
	} else if typed && !cloud {
		delete(fields, "type")
		if e.Body, err = json.Marshal(fields); err != nil {
			return e, err
		}
	}
	if cloud {
		e.ID, _ = text(fields, "id")
	}
	return e.about(data)
}

func (e Event) about(data map[string]json.RawMessage) (Event, error) {
	e.Shop, _ = text(data, "shop")
	e.Order, _ = text(data, "orderId")
	if e.Invoice, _ = text(data, "invoiceId"); e.Invoice == "" {
		e.Invoice = e.Order
	}
	var missing []string
	if e.Shop == "" {
		missing = append(missing, `"shop"`)
	}
	if e.Order == "" {
		missing = append(missing, `"orderId"`)
	}
	if len(missing) > 0 {
		return e, fmt.Errorf("%s missing or not a string: without it there is no subject to publish on", strings.Join(missing, " and "))
	}
	return e, nil
}

// nameOf takes "placed", "order.placed" and "seqrflow.order.placed.v1".
func nameOf(kind string) (events.OrderName, error) {
	for _, n := range []events.OrderName{events.Placed, events.OrderCanceled, events.Returned} {
		if k := "order." + string(n); kind == string(n) || kind == k || kind == events.TypeOf(k) {
			return n, nil
		}
	}
	return "", fmt.Errorf(`type: expected "placed", "canceled" or "returned" (or %q and so on), got %q`, events.TypeOf("order.placed"), kind)
}

func object(body []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return nil, errors.New("expected a JSON object")
	}
	return fields, nil
}

func text(fields map[string]json.RawMessage, key string) (string, bool) {
	var s string
	v, ok := fields[key]
	if !ok || json.Unmarshal(v, &s) != nil {
		return "", false
	}
	return s, true
}
