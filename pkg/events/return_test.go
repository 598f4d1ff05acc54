package events_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// decodeReturn reads a return with the given fields beside the ids.
func decodeReturn(fields string) (events.Return, error) {
	if fields != "" {
		fields = "," + fields
	}
	return events.DecodeReturn(message("orders.acme.1.returned", `{"shop":"acme","orderId":"1","refundId":"r1"`+fields+`}`))
}

func TestAllIsSaidExplicitly(t *testing.T) {
	for _, fields := range []string{``, `"amount":"all"`, `"reason":"broken"`, `"amount":"all","currency":"SEK"`, `"currency":"SEK"`, `"loyalty":{"amuont":1}`} {
		r, err := decodeReturn(fields)
		if err != nil || !r.All || r.Amount != nil {
			t.Errorf("%s: all %v, amount %v, %v", fields, r.All, r.Amount, err)
		}
	}
	for _, fields := range []string{`"amount":"4.50"`, `"rows":[{"description":"a","quantity":1,"total":"4.50"}]`, `"amount":"4.50","rows":[{"description":"a","quantity":1,"total":"4.50"}]`} {
		r, err := decodeReturn(fields)
		if err != nil || r.All || r.Amount == nil || r.Amount.String() != "4.50" {
			t.Errorf("%s: all %v, amount %v, %v", fields, r.All, r.Amount, err)
		}
	}
}

func TestReturnThatMightMeanLessThanAllIsRefused(t *testing.T) {
	row := `{"description":"a","quantity":1,"total":"4.50"}`
	for fields, want := range map[string]string{
		`"rows":[]`:                           "rows: expected at least one row",
		`"rows":[],"amount":"all"`:            "rows: expected at least one row",
		`"rows":null`:                         "rows: expected a value, got null",
		`"amount":null`:                       "amount: expected a value, got null",
		`"amount":""`:                         `amount: expected a value, got ""`,
		`"amount":null,"rows":[` + row + `]`:  "amount: expected a value, got null",
		`"amount":"All"`:                      `amount: expected a plain decimal`,
		`"amount":true`:                       `amount: expected a decimal string`,
		`"amount":{}`:                         `amount: expected a decimal string`,
		`"amount":"all","rows":[` + row + `]`: `amount: expected the sum of the rows, or "all" without rows`,
		`"amuont":"4"`:                        `amuont: unknown field with a name like that of "amount"`,
		`"Amount":"4"`:                        `Amount: unknown field with a name like that of "amount"`,
		`"amounts":["4"]`:                     `amounts: unknown field with a name like that of "amount"`,
		`"amout":"4"`:                         `amout: unknown field with a name like that of "amount"`,
		`"ammounts":"4"`:                      `ammounts: unknown field with a name like that of "amount"`,
		`"AMOUNT ":"4"`:                       `"AMOUNT ": unknown field with a name like that of "amount"`,
		`"amount":"4","Amount":"40"`:          `Amount: unknown field with a name like that of "amount"`,
		`"row":[` + row + `]`:                 `row: unknown field with a name like that of "rows"`,
		`"Rows":[` + row + `]`:                `Rows: unknown field with a name like that of "rows"`,
		`"invoiceID":"1-b"`:                   `invoiceID: unknown field with a name like that of "invoiceId"`,
		`"invoice":"1-b"`:                     `invoice: unknown field with a name like that of "invoiceId"`,
		`"invoiceId":null`:                    `invoiceId: expected a value, got null`,
		`"invoiceId":""`:                      `invoiceId: expected a value, got ""`,
		`"refundID":"r2"`:                     `refundID: unknown field with a name like that of "refundId"`,
		`"curency":"EUR"`:                     `curency: unknown field with a name like that of "currency"`,
		`"currency":null`:                     `currency: expected a value, got null`,
		`"currency":"kr"`:                     `currency: expected an ISO 4217 code such as SEK, got "kr"`,
		`"currency":"SEK","amount":"1.005"`:   `amount: expected at most 2 digits after the point for SEK`,
		`"amount":"10","amount":"100"`:        "amount: expected once, got 2 times",
		`"amount":"10","amoun\u0074":"100"`:   "amount: expected once, got 2 times",
		`"":1,"":2`:                           `"": expected once, got 2 times`,
		`"refundId":"r2"`:                     "refundId: expected once, got 2 times",
	} {
		r, err := decodeReturn(fields)
		var ps events.Problems
		if !errors.As(err, &ps) || !strings.Contains(err.Error(), want) || r.All {
			t.Errorf("%s: got %v, all %v; want %q", fields, err, r.All, want)
		}
	}
}

func TestCancellationNamesItsInvoiceOrNone(t *testing.T) {
	for fields, want := range map[string]string{
		`"invoiceId":null`:       `invoiceId: expected a value, got null`,
		`"InvoiceId":"1-b"`:      `InvoiceId: unknown field with a name like that of "invoiceId"`,
		`"orderId":"1"`:          `orderId: expected once, got 2 times`,
		`"keeppaid":true`:        `keeppaid: unknown field with a name like that of "keepPaid"`,
		`"keepPaid":"true"`:      `keepPaid: expected true or false, got a string`,
		`"keepPaid":null`:        `keepPaid: expected a value, got null`,
		`"keepPaid":false`:       ``,
		`"amount":null,"row":[]`: ``, // no fields of a cancellation
	} {
		_, err := events.DecodeCancellation(message("orders.acme.1.canceled", `{"shop":"acme","orderId":"1",`+fields+`}`))
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v; want %q", fields, err, want)
		}
	}
}

// An edit or two of a guarded name, one of a short name, in whatever case, is never taken for an unknown field.
func TestMisspeltFieldIsNotIgnored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := []rune(rapid.SampledFrom([]string{"amount", "rows", "currency", "invoiceId", "refundId"}).Draw(t, "name"))
		most := 2
		if len(name) <= 4 {
			most = 1
		}
		for range rapid.IntRange(1, most).Draw(t, "edits") {
			i := rapid.IntRange(0, len(name)-1).Draw(t, "at")
			c := rapid.RuneFrom([]rune("abcdefghijklmnopqrstuvwxyzABCDIMNOR0_- ö")).Draw(t, "letter")
			switch rapid.SampledFrom([]string{"insert", "leave out", "replace", "case"}).Draw(t, "edit") {
			case "insert":
				name = append(name[:i:i], append([]rune{c}, name[i:]...)...)
			case "leave out":
				name = append(name[:i:i], name[i+1:]...)
			case "replace":
				name = append(append(name[:i:i], c), name[i+1:]...)
			case "case":
				name = []rune(string(name[:i]) + strings.ToUpper(string(name[i:i+1])) + string(name[i+1:]))
			}
		}
		key := string(name)
		known := map[string]bool{"amount": true, "rows": true, "currency": true, "invoiceId": true, "refundId": true, "orderId": true, "shop": true, "reason": true}
		if known[key] || key == "account" || key == "count" || key == "mount" {
			t.Skip("the edits made a name of it again")
		}
		if _, err := decodeReturn(fmt.Sprintf("%q:%q", key, "4")); err == nil || !strings.Contains(err.Error(), "unknown field with a name like that of") {
			t.Fatalf("%q: %v", key, err)
		}
	})
}

func TestReturnIsDueInTheInvoicesCurrency(t *testing.T) {
	inv := events.Invoice{State: events.Paid, Currency: "SEK", Total: amountOf(t, "100")}
	for fields, want := range map[string]string{
		`"amount":"10"`:                  "10",
		`"amount":"10","currency":"SEK"`: "10",
		`"amount":"149.5000"`:            "149.50",
		`"amount":"10.1230"`:             "amount: expected at most 2 digits after the point for SEK",
		`"amount":"10","currency":"EUR"`: "currency: expected the invoice's SEK, got EUR",
		`"currency":"EUR"`:               "currency: expected the invoice's SEK, got EUR",
		`"amount":"all"`:                 "100",
		`"rows":[{"description":"a","quantity":1,"total":"5.000"},{"description":"b","quantity":1,"total":"5"}]`:     "10.00",
		`"rows":[{"description":"a","quantity":1,"total":"5.005"},{"description":"b","quantity":1,"total":"4.995"}]`: "rows[0].total: expected at most 2 digits after the point for SEK",
	} {
		r, err := decodeReturn(fields)
		if err != nil {
			t.Errorf("%s: %v", fields, err)
			continue
		}
		due, err := r.Due(inv)
		got := due.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s; want %s", fields, got, want)
		}
	}
}

func TestSameRefundIDWithOtherContentsConflicts(t *testing.T) {
	const rows = `"rows":[{"description":"a","quantity":1,"total":"4.50"}]`
	cases := []struct {
		first, second string
		want          string // "" is no conflict
	}{
		{`"amount":"4.50"`, `"amount":"4.50"`, ""},
		{`"amount":"4.50"`, `"amount":"4.5000"`, ""},
		{`"amount":"4.50"`, `"amount":"4.50","currency":"SEK"`, ""},
		{`"amount":"all"`, ``, ""},
		{rows, `"amount":"4.50",` + strings.ReplaceAll(rows, "4.50", "4.5"), ""},
		{`"amount":"4.50","reason":"x"`, `"reason":"x","amount":"4.50"`, ""},
		{`"amount":"4.50"`, `"amount":"45"`, `45 instead of 4.50`},
		{`"amount":"all"`, `"amount":"45"`, `45 instead of 4.50 (all that was left)`},
		{`"amount":"all"`, `"amount":"4.50"`, `4.50 instead of 4.50 (all that was left)`},
		{`"amount":"4.50"`, ``, `all that is left instead of 4.50`},
		{`"amount":"4.50","reason":"broken"`, `"amount":"4.50","reason":"late"`, `reason "late" instead of "broken"`},
		{`"amount":"4.50"`, `"amount":"4.50","currency":"EUR"`, `currency EUR instead of SEK`},
		{`"amount":"4.50"`, rows, `other rows`},
		{rows, strings.Replace(rows, `"a"`, `"b"`, 1), `other rows`},
		{rows, strings.Replace(rows, `"total"`, `"taxRate":"25","total"`, 1), `other rows`},
	}
	for _, c := range cases {
		first, err := decodeReturn(c.first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := decodeReturn(c.second)
		if err != nil {
			t.Fatal(err)
		}
		known := events.Refund{RefundID: "r1", Amount: amountOf(t, "4.50"), All: first.All, Reason: first.Reason, Contents: first.Contents("SEK")}
		words, conflict := second.Conflicts(known, "SEK")
		if conflict != (c.want != "") || conflict && !strings.HasPrefix(words, `refundId: "r1" was used before with other contents, and now has `+c.want+": ") {
			t.Errorf("%s, then %s: %v %q; want %q", c.first, c.second, conflict, words, c.want)
		}
	}
}

// A refund that an older version recorded has no digest: it is compared by what it has.
func TestRefundOfAnOlderVersionIsComparedByWhatItHas(t *testing.T) {
	known := events.Refund{RefundID: "r1", Amount: amountOf(t, "4.50"), Reason: "x"}
	for fields, want := range map[string]bool{
		`"amount":"4.50","reason":"x"`: false, `"amount":"4.50","reason":"y"`: true, `"amount":"4.50","reason":"x","currency":"EUR"`: true,
		`"reason":"x","rows":[{"description":"a","quantity":1,"total":"4.50"}]`: false,
	} {
		r, err := decodeReturn(fields)
		if err != nil {
			t.Fatal(err)
		}
		if words, conflict := r.Conflicts(known, "SEK"); conflict != want {
			t.Errorf("%s: %v %q", fields, conflict, words)
		}
	}
	own := events.Return{RefundID: events.RefundLate, All: true, Reason: "paid after the invoice was CANCELED"}
	if words, conflict := own.Conflicts(events.Refund{RefundID: events.RefundLate, All: true, Reason: "another", Contents: "of another"}, "SEK"); conflict {
		t.Errorf("seqrflow's own refund: %s", words)
	}
}

func TestShopsWayOfWritingIsTaken(t *testing.T) {
	o, err := events.DecodeOrder(message("orders.acme.1001.placed", `{"orderId":1001,"shop":"acme","currency":"SEK","total":"149.5000","backUrl":"shopapp://done","rows":[{"description":"Kaffe","quantity":1,"total":"149.500"}]}`))
	if err != nil || o.OrderID != "1001" || o.Total.String() != "149.50" || o.Rows[0].Total.String() != "149.50" {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := events.DecodeOrder(message("orders.acme.1001.placed", strings.Replace(good, `"currency"`, `"loyalty":1,"customer":"x","note":null,"title":"","currency"`, 1))); err != nil {
		t.Errorf("fields that are not like any of ours: %v", err)
	}
	for id, want := range map[string]string{`12345678901234567890`: "12345678901234567890", `-5`: "-5", `0`: "0"} {
		c, err := events.DecodeCancellation(message(events.OrderSubject("acme", want, events.OrderCanceled), `{"shop":"acme","orderId":`+id+`}`))
		if err != nil || c.OrderID != want {
			t.Errorf("orderId %s: %q, %v", id, c.OrderID, err)
		}
	}
	for _, id := range []string{`1e3`, `1.0`, `true`, `[1]`, `{}`} {
		if _, err := events.DecodeCancellation(message("orders.acme.1.canceled", `{"shop":"acme","orderId":`+id+`}`)); err == nil || !strings.Contains(err.Error(), "orderId: expected a string") {
			t.Errorf("orderId %s: %v", id, err)
		}
	}
}
