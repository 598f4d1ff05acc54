package events_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// FuzzInvoiceEvent: reading data of an invoice bears anything that stands in the stream, and keeps every field of
// every object but those that it knows.
func FuzzInvoiceEvent(f *testing.F) {
	f.Add(`{"shop":"acme","invoiceId":"1","state":"PAID","total":"10","refunds":[{"refundId":"r","amount":"1","status":"done"}],"change":{"event":"paid"}}`)
	f.Add(newer)
	f.Add("{\"shop\":\"018\x8a2\",\"invoiceId\":\"2\",\"refunds\":[{\"210\":\"\"}],\"Ch@nge\":{}}")
	for _, body := range notQuiteJSON {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var inv events.Invoice
		if json.Unmarshal([]byte(body), &inv) != nil {
			return
		}
		for _, e := range events.Names() {
			inv.Can(e)
		}
		inv.Key()
		inv.InFlight()
		out, err := json.Marshal(inv)
		if err != nil {
			return // a date beyond the year 9999 can be read and not be written
		}
		var back events.Invoice
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%s was written as %s: %v", body, out, err)
		}
		if twice, err := json.Marshal(back); err != nil || string(twice) != string(out) {
			t.Fatalf("%s became %s, %v", out, twice, err)
		}
		var was map[string]json.RawMessage
		if json.Unmarshal([]byte(body), &was) != nil {
			return
		}
		now := decodeJSON[map[string]json.RawMessage](t, out)
		for key, value := range was {
			if !knownInvoiceField(key) && !cmp.Equal(generic(t, value), generic(t, now[key])) {
				t.Fatalf("%q was %s and became %s", key, value, now[key])
			}
		}
	})
}

func knownInvoiceField(key string) bool {
	for _, known := range strings.Fields("shop invoiceId orderId state currency total order terminal invoiceReference qrCode link issuedAt dueAt overdueAt " +
		"endedAt reason ersReference paidAt late receipts refunds refunded held change") {
		if strings.EqualFold(known, key) {
			return true
		}
	}
	return false
}

// FuzzDecodeInvoiceEvent: whatever is published on whatever subject, it is an event of ours that agrees with its
// subject and the table, or the error says which of the two it is.
func FuzzDecodeInvoiceEvent(f *testing.F) {
	for _, r := range oneLife(f) {
		f.Add(r.subject, string(r.body))
		f.Add(r.subject, strings.Replace(string(r.body), ".v1", ".v2", 1))
	}
	f.Add("invoices.acme.1001.paid", `{"stream":"ORDERS","seq":7}`)
	f.Fuzz(func(t *testing.T, subject, body string) {
		inv, e, err := events.DecodeInvoiceEvent(subject, []byte(body))
		if err != nil {
			if errors.Is(err, events.ErrForeignEvent) == errors.Is(err, events.ErrNewerVersion) || inv.State != "" {
				t.Fatalf("%s after %v", inv.State, err)
			}
			return
		}
		c := inv.Change
		if inv.Key().Subject(c.Event) != subject || e.Type != events.TypeOf("invoice."+string(c.Event)) ||
			!slices.Contains(events.RecordersOf(c.From, c.Event), events.Actor(strings.TrimPrefix(e.Source, "/seqrflow/"))) {
			t.Fatalf("%s from %s was taken on %s", e.Type, e.Source, subject)
		}
		part, errPart := events.Next(c.From, c.Event, false)
		full, errFull := events.Next(c.From, c.Event, true)
		if (errPart != nil || part != inv.State) && (errFull != nil || full != inv.State) {
			t.Fatalf("%s on %s led to %s", c.Event, c.From, inv.State)
		}
		inv.Remaining() // sums must not overflow
		for _, r := range inv.Refunds {
			if _, err := inv.RefundRefused(r, fact("drawn")); err != nil && !errors.Is(err, events.ErrNotAllowed) {
				t.Fatal(err)
			}
		}
	})
}
