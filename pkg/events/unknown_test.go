package events_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// newer is an invoice as a newer version of the same major may write it.
const newer = `{"shop":"acme","invoiceId":"1001","orderId":"1001","state":"PAID","currency":"SEK","total":"149.50",
 "holder" : {"name":"a \"b\" }]","n":[1,{"x":null}, 1e400]} ,
 "order":{"orderId":"1001","shop":"acme","currency":"SEK","total":"149.50","channel":"web",
  "rows":[{"description":"Kaffe","quantity":"1","total":"100","origin":"ET"},{"description":"Bulle","quantity":"1","total":"49.50"},{"description":"x","quantity":"1","total":"0","a":1,"b\u0022":[]}]},
 "receipts":[{"at":"2026-05-01T12:00:00Z","mimeType":"t","sha256":"s","bytes":1,"language":"sv"}],
 "refunds":[{"refundId":"r0","amount":"1","status":"done","askedAt":"2026-05-01T12:00:00Z"},{"refundId":"r1","amount":"2","status":"sending","askedAt":"2026-05-01T12:00:00Z","evidence":{"report":"p1"}}],
 "refunded":"1","held":"2","priority":1.50,"change":{"event":"refunding","from":"PAID","at":"2026-05-01T12:00:00Z","by":"refunder","why":"w"}}`

func decodeJSON[T any](t testing.TB, body []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return v
}

// generic is the JSON as maps and lists, numbers as they are written.
func generic(t testing.TB, body []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestUnknownFieldsOfAnInvoiceSurviveARewrite(t *testing.T) {
	inv := decodeJSON[events.Invoice](t, []byte(newer))
	if diff := cmp.Diff(generic(t, []byte(newer)), generic(t, mustJSON(t, inv))); diff != "" {
		t.Errorf("written again as read: %s", diff)
	}
	// An older worker records the next event, twice.
	inv, err := inv.RefundedAs("r1", "ers", fact("0"))
	if err == nil {
		inv, err = inv.ReceiptedWith(events.Receipt{MIMEType: "u"}, fact("accepted"))
	}
	if err != nil {
		t.Fatal(err)
	}
	after := generic(t, mustJSON(t, inv)).(map[string]any)
	was := generic(t, []byte(newer)).(map[string]any)
	for _, key := range []string{"holder", "priority", "order"} {
		if diff := cmp.Diff(was[key], after[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	refund, receipts := after["refunds"].([]any)[1].(map[string]any), after["receipts"].([]any)
	if refund["status"] != "done" || !cmp.Equal(refund["evidence"], map[string]any{"report": "p1"}) {
		t.Errorf("the refund became %v", refund)
	}
	if len(receipts) != 2 || receipts[0].(map[string]any)["language"] != "sv" || receipts[1].(map[string]any)["language"] != nil {
		t.Errorf("the receipts became %v", receipts)
	}
	if after["state"] != "RECEIPTED" || after["refunded"] != "3" {
		t.Errorf("state %v, refunded %v", after["state"], after["refunded"])
	}
}

func TestUnknownFieldsOfAPeriodSurviveARewrite(t *testing.T) {
	p := closed(t)
	body := string(mustJSON(t, p))
	body = strings.Replace(body, `"mark":{`, `"auditor":{"id":7},"mark":{"note":"by hand",`, 1)
	p = decodeJSON[events.Period](t, []byte(body))
	p, err := p.Compared(events.Comparison{Rows: 1}, periodFact("compared"))
	if err != nil {
		t.Fatal(err)
	}
	after := generic(t, mustJSON(t, p)).(map[string]any)
	if !cmp.Equal(after["auditor"], map[string]any{"id": json.Number("7")}) || after["mark"].(map[string]any)["note"] != "by hand" || after["state"] != "RECONCILED" {
		t.Errorf("the period became %v", after)
	}
}

func TestInvoiceWithoutUnknownFieldsIsComparable(t *testing.T) {
	for _, r := range oneLife(t) {
		inv, _, err := events.DecodeInvoiceEvent(r.subject, r.body)
		if err != nil {
			t.Fatal(err)
		}
		again := decodeJSON[events.Invoice](t, mustJSON(t, inv))
		if inv.Unknown != "" || !reflect.DeepEqual(inv, again) {
			t.Errorf("%s: %+v became %+v", r.subject, inv, again)
		}
		equal := cmp.Comparer(func(a, b events.Amount) bool { return a.Cmp(b) == 0 })
		quantities := cmp.Comparer(func(a, b events.Row) bool { return a.Total.Cmp(b.Total) == 0 })
		if diff := cmp.Diff(inv, again, equal, quantities); diff != "" {
			t.Error(diff)
		}
	}
}

// Whatever is added to the objects of an invoice, and wherever, is there after it was read and written.
func TestAnyUnknownFieldSurvives(t *testing.T) {
	value := rapid.OneOf(rapid.Just("null"), rapid.Just(`{"a":[1,"}]"]}`), rapid.Just(`[ [ ] , { } ]`), rapid.Just("-1.0e5"), rapid.Just(" true\n"),
		rapid.Map(rapid.String(), func(s string) string { return string(mustJSON(t, s)) }))
	rapid.Check(t, func(t *rapid.T) {
		body := newer
		for _, at := range []string{`{"shop":"acme","invoiceId"`, `{"orderId":"1001","shop"`, `{"description":"Bulle"`, `{"at":"2026-05-01T12:00:00Z","mimeType"`, `{"refundId":"r0"`} {
			if rapid.Bool().Draw(t, "here") {
				key := "new " + rapid.StringN(0, 5, -1).Draw(t, "key")
				quoted, err := json.Marshal(key)
				if err != nil {
					t.Fatal(err)
				}
				body = strings.Replace(body, at, "{"+string(quoted)+" : "+value.Draw(t, "value")+","+at[1:], 1)
			}
		}
		var was, now any
		var inv events.Invoice
		if err := json.Unmarshal([]byte(body), &inv); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		out, err := json.Marshal(inv)
		if err != nil {
			t.Fatal(err)
		}
		for text, v := range map[string]*any{body: &was, string(out): &now} {
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			if err := d.Decode(v); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(was, now); diff != "" {
			t.Fatalf("%s became %s: %s", body, out, diff)
		}
	})
}
