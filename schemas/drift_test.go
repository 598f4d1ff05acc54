// Package schemas holds the JSON Schemas of all events' data, and the AsyncAPI document that says which
// is published where. They are generated from the Go types of pkg/events:
//
//	UPDATE=1 go test ./schemas
package schemas

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"
	"github.com/invopop/jsonschema"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// documents are the files by name.
func documents() map[string]any {
	docs := map[string]any{"asyncapi.json": asyncAPI()}
	for _, d := range data() {
		docs[d.file] = schemaOf(d)
	}
	return docs
}

type datum struct {
	file, title string
	value       any
	accepts     func(*jsonschema.Schema) // what the decoder takes beyond the Go type
}

func data() []datum {
	return []datum{
		{"order.placed.v1.json", "Take payment for this order", events.Order{}, integerID},
		{"order.canceled.v1.json", "The order is off: cancel, or refund if paid", events.Cancellation{}, integerID},
		{"order.returned.v1.json", "Refund all of it or part of it", events.Return{}, func(s *jsonschema.Schema) { integerID(s); amountOrAll(s) }},
		{"invoice.v1.json", "The whole invoice after the event, in every seqrflow.invoice.….v1", events.Invoice{}, nil},
		{"period.v1.json", "The whole period after the event, in every seqrflow.period.….v1", events.Period{}, nil},
		{"delivery.v1.json", "One attempt to tell a shop's system about an event of an invoice", events.DeliveryAttempt{}, nil},
		{"parked.v1.json", "What a worker could not handle, and what a person decided: to try again, or to dismiss it", events.Parked{}, nil},
		{"hook.v1.json", "A request of a shop's system that could not be translated", events.Hook{}, nil},
	}
}

// integerID lets a shop that numbers its orders write the number.
func integerID(s *jsonschema.Schema) {
	id, _ := s.Properties.Get("orderId")
	text := *id
	*id = jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: text.Type, MinLength: text.MinLength, MaxLength: text.MaxLength}, {Type: "integer"}}, Description: text.Description}
}

func amountOrAll(s *jsonschema.Schema) {
	amount, _ := s.Properties.Get("amount")
	sum := *amount
	*amount = jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: sum.Type, Pattern: sum.Pattern, Examples: sum.Examples}, {Const: "all"}}, Description: sum.Description}
}

func schemaOf(d datum) *jsonschema.Schema {
	r := &jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true, AllowAdditionalProperties: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			switch t {
			case reflect.TypeFor[events.Amount]():
				return &jsonschema.Schema{Type: "string", Pattern: `^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`, Examples: []any{"149.50"}}
			case reflect.TypeFor[decimal.Decimal]():
				return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: `^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`}, {Type: "number"}}}
			case reflect.TypeFor[events.Duration]():
				return &jsonschema.Schema{Type: "string", Examples: []any{"15m", "PT15M"}}
			}
			return nil
		},
	}
	s := r.Reflect(d.value)
	if d.accepts != nil {
		d.accepts(s)
	}
	s.ID, s.Title = jsonschema.ID("urn:seqrflow:"+d.file), d.title
	return s
}

func TestSchemasAreThoseOfTheTypes(t *testing.T) {
	for name, doc := range documents() {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(doc); err != nil {
			t.Fatal(err)
		}
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(name, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(have), want.String()); diff != "" {
			t.Errorf("%s drifted; UPDATE=1 go test ./schemas mends it\n%s", name, diff)
		}
	}
}
