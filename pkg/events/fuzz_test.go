package events_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// notQuiteJSON has what JSON readers disagree about or stumble over.
var notQuiteJSON = []string{
	"", " ", "0", "-1", "00", "n", "t", "fa", "0.000000000", "1" + strings.Repeat("0", 64), "\a", "\f", "\"\\n\"", "\"\\b", "\"\\u0a", "\"\\uX", "\"\xdf\"", "\"\U0004b2ed\"",
	"\"\"\x19", "[", "[ ", "[00", "[0,", "[[[[[]]]]]", "{", "{ ", "{\x10", "{0", "{\"\"\x04", "{\"\"\r", "{\"\":\"\",", "{}0", "{\r}", "\n\n0", "0.0E",
}

// FuzzOrder: whatever is published, reading it ends with an order that holds what the contract promises
// or with problems that name a path; what was read survives being written and read again.
func FuzzOrder(f *testing.F) {
	f.Add("orders.acme.1001.placed", good)
	f.Add("orders.acme.1001.placed", `{"specversion":"1.0","type":"seqrflow.order.placed.v1","data":`+good+`}`)
	f.Add("orders.acme.x-geycambr.placed", strings.Replace(good, `"1001"`, `"10 01"`, 1))
	f.Add("orders.acme.1001.placed", `{"orderId":"1001","shop":"acme","currency":"KWD","total":"1.234","validFor":"PT15M","rows":[{"description":"ö","quantity":"-1","total":"2.234","taxRate":6},{"description":"d","quantity":1,"total":"-1"}]}`)
	for _, body := range notQuiteJSON {
		f.Add("orders.acme.1001.placed", body)
	}
	for _, subject := range []string{"", "0", "\xeb...", "0.\u319e..", "\u07b8...", "\U000bcf2c...", "\x01"} {
		f.Add(subject, good)
	}
	f.Fuzz(func(t *testing.T, subject, body string) {
		m := events.Message{Subject: subject, Body: []byte(body)}
		o, err := events.DecodeOrder(m)
		if err != nil {
			ps, ok := err.(events.Problems)
			if !ok || len(ps) == 0 || ps[0].Path == "" || ps[0].Expected == "" {
				t.Fatalf("not problems that name a path: %#v", err)
			}
			return
		}
		sum := events.Amount{}
		for _, r := range o.Rows {
			sum = sum.Add(r.Total)
		}
		digits, known := events.CurrencyDigits(o.Currency)
		if !known || o.Total.Sign() <= 0 || sum.Cmp(o.Total) != 0 || o.Total.Decimal().Scale() > digits || len(o.Rows) == 0 || len(o.Rows) > events.MaxRows {
			t.Fatalf("accepted: %+v", o)
		}
		if events.OrderSubject(o.Shop, o.OrderID, events.Placed)[:len(subject)-len("placed")] != subject[:len(subject)-len("placed")] && strings.HasSuffix(subject, ".placed") {
			t.Fatalf("%q was accepted on %q", o.OrderID, subject)
		}
		again, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		back, err := events.DecodeOrder(events.Message{Subject: subject, Body: again})
		if err != nil && len(again) <= events.MaxOrderBytes {
			t.Fatalf("written as %s: %v", again, err)
		}
		if twice, _ := json.Marshal(back); err == nil && !cmp.Equal(again, twice) {
			t.Fatalf("%s became %s", again, twice)
		}
	})
}

// FuzzReturn: as for orders.
func FuzzReturn(f *testing.F) {
	f.Add(`{"shop":"acme","orderId":"1","refundId":"r1","amount":"4.50"}`)
	f.Add(`{"shop":"acme","orderId":1,"refundId":"r1","amount":"all","currency":"SEK"}`)
	f.Add(`{"shop":"acme","orderId":"1","refundId":"r1","amuont":"4.5000","Rows":[],"amount":null,"rows":null}`)
	f.Add(`{"specversion":"1.0","type":"seqrflow.order.returned.v1","data":{"shop":"acme","orderId":"1","refundId":"cancel","amount":"1","amount":"2"}}`)
	f.Add(`{"shop":"acme","orderId":"1","refundId":"r1","rows":[{"description":"a","quantity":2,"total":"10"}]}`)
	for _, body := range notQuiteJSON {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := events.DecodeReturn(events.Message{Subject: "orders.acme.1.returned", Body: []byte(body)})
		if err != nil {
			return
		}
		if r.RefundID == "" || events.IsReservedRefund(r.RefundID) || events.Token(r.Shop) != "acme" || events.Token(r.OrderID) != "1" ||
			r.Amount != nil && r.Amount.Sign() <= 0 || r.All != (r.Amount == nil) || r.All && len(r.Rows) > 0 {
			t.Fatalf("accepted: %+v", r)
		}
		checkAllWasSaid(t, body, r)
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := events.DecodeReturn(events.Message{Subject: "orders.acme.1.returned", Body: again})
		if err != nil || back.All != r.All || !r.All && back.Amount.Cmp(*r.Amount) != 0 {
			t.Fatalf("written as %s: %+v, %v", again, back, err)
		}
		inv := events.Invoice{State: events.Paid, Currency: "SEK", Total: events.AmountOf(decimal.MustNew(100, 0))}
		if due, err := r.Due(inv); err == nil && (r.Currency != "" && r.Currency != "SEK" || due.Sign() <= 0 || due.Decimal().Scale() > 2) {
			t.Fatalf("%+v is due with %s", r, due)
		}
		known := events.Refund{RefundID: r.RefundID, All: r.All, Contents: r.Contents("SEK")}
		if r.Amount != nil {
			known.Amount = *r.Amount
		}
		if words, conflict := r.Conflicts(known, "SEK"); conflict {
			t.Fatalf("conflicts with itself: %s", words)
		}
	})
}

// checkAllWasSaid reads the data once more with maps: a return of all has no amount but "all", no rows, and nothing
// that is spelt like one of the two.
func checkAllWasSaid(t *testing.T, body string, r events.Return) {
	t.Helper()
	var data map[string]any
	if err := json.Unmarshal([]byte(body), &data); err != nil {
		t.Fatal(err)
	}
	if _, enveloped := data["specversion"].(string); enveloped {
		data, _ = data["data"].(map[string]any)
	}
	for key, value := range data {
		switch strings.ToLower(key) {
		case "amount":
			if key != "amount" || r.All && value != "all" || !r.All && value == "all" {
				t.Fatalf("%s was read with all %v", body, r.All)
			}
		case "rows":
			if key != "rows" || r.All {
				t.Fatalf("%s was read with all %v", body, r.All)
			}
		}
	}
}

// FuzzAmount: what is accepted is written again with the same value, within the digits allowed.
func FuzzAmount(f *testing.F) {
	for _, s := range []string{"149.50", "-0.01", "0", "999999999999", "1e2", " 1", "+1", "01", ".5", "5.", "1_0", "٣", "0.000000000001",
		"", "-", "-0.0", "\a", "\b\x7f", "\n", "\v", "\xc0", "Б", "ﾻ", "00˺", "0.0005" + strings.Repeat("5", 250)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := events.ParseAmount(s)
		if err != nil {
			return
		}
		if n := len(strings.NewReplacer("-", "", ".", "").Replace(s)); n > events.MaxAmountDigits {
			t.Fatalf("%q has %d digits", s, n)
		}
		back, err := events.ParseAmount(a.String())
		if err != nil || back.Cmp(a) != 0 || (a.String() != s && s != "-0" && !strings.HasPrefix(s, "-0.")) {
			t.Fatalf("%q became %s, %v", s, a, err)
		}
	})
}

// FuzzSubject: a token is always fit to be published on, and a subject made of ids is taken apart again.
func FuzzSubject(f *testing.F) {
	f.Add("acme", "1001", "orders.acme.1001.placed")
	f.Add("ö", "x-", "a.*.>.")
	f.Add("acme", "10.01", "open.acme.1001")
	for _, subject := range []string{"0", "...", "0.0.0.0", "0.0..", "0.\t..", "0.\n..", "\"\"...", "\x7f...", "\xe9...", "ﶩ...", " 0\xf3\xa3\x89\xd4..."} {
		f.Add("00\xeb00", "\x92\x115\xd1", subject)
	}
	f.Add("", "0", "")
	f.Add(" ", "\u0496", "0")
	f.Add(strings.Repeat("0", 70), strings.Repeat(" ", 70), "0")
	f.Fuzz(func(t *testing.T, shop, order, any string) {
		if shop != "" && order != "" {
			a, err := events.ParseSubject(events.OrderSubject(shop, order, events.Placed))
			if err != nil || a.Shop != events.Token(shop) || a.ID != events.Token(order) {
				t.Fatalf("%q %q: %+v, %v", shop, order, a, err)
			}
		}
		if k, err := events.ParseOpenSubject(any); err == nil && k.Open() != any {
			t.Fatalf("%q was taken apart as %+v", any, k)
		}
		if k, err := events.ParseOpenSubject(events.KeyOf(shop, order).Open()); shop != "" && order != "" && (err != nil || k != events.KeyOf(shop, order)) {
			t.Fatalf("%q %q: %+v, %v", shop, order, k, err)
		}
		if a, err := events.ParseSubject(any); err == nil && strings.ContainsAny(a.Shop+a.ID+a.Event, ".*> \t\r\n") {
			t.Fatalf("%q was taken apart as %+v", any, a)
		}
	})
}
