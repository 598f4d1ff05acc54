package events_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

const good = `{"orderId":"1001","shop":"acme","currency":"SEK","total":"149.50","rows":[{"description":"Kaffe","quantity":1,"total":"149.50"}]}`

func message(subject, body string) events.Message {
	return events.Message{Subject: subject, Body: []byte(body)}
}

func TestOrderIsReadInEveryForm(t *testing.T) {
	structured := `{"specversion":"1.0","id":"1","source":"/shop","type":"seqrflow.order.placed.v1","data":` + good + `,"extension":"x"}`
	forms := map[string]events.Message{
		"bare":       message("orders.acme.1001.placed", good),
		"structured": message("orders.acme.1001.placed", structured),
		"binary": {Subject: "orders.acme.1001.placed", Body: []byte(good), Header: map[string][]string{
			"ce-specversion": {"1.0"}, "ce-type": {"seqrflow.order.placed.v1"}, "ce-id": {"1"}, "ce-source": {"/shop"}}},
		"with unknown fields":                                message("orders.acme.1001.placed", strings.Replace(good, `{`, `{"loyalty":{"tier":1},`, 1)),
		"with a field that is nearer to title than to total": message("orders.acme.1001.placed", strings.Replace(good, `{`, `{"titel":"Kaffe",`, 1)),
	}
	for name, m := range forms {
		o, err := events.DecodeOrder(m)
		if err != nil || o.OrderID != "1001" || o.Total.In("SEK") != "149.50" || o.Rows[0].Description != "Kaffe" || o.Rows[0].Quantity.String() != "1" {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

func TestBadOrderNamesTheFieldAndWhatWasExpected(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	many := `{"orderId":"1001","shop":"acme","currency":"SEK","total":"1","rows":[` + strings.Repeat(`{"description":"r","quantity":"1","total":"0.01"},`, 501) + `{}]}`
	cases := []struct{ name, subject, body, want string }{
		{"not JSON", "", `{"orderId":`, "body: expected JSON"},
		{"not an object", "", `[1]`, "body: expected a JSON object"},
		{"empty", "", ``, "body: expected JSON"},
		{"missing id", "", edit(`"orderId":"1001",`, ``), "orderId: missing"},
		{"null id", "", edit(`"1001"`, `null`), "orderId: missing"},
		{"empty id", "", edit(`"1001"`, `""`), "orderId: expected a string that is not empty"},
		{"number for text", "", edit(`"1001"`, `1001.5`), "orderId: expected a string, got the number 1001.5"},
		{"long id", "", edit(`"1001"`, `"`+strings.Repeat("x", 201)+`"`), "orderId: expected at most 200 characters, got 201"},
		{"another order's subject", "orders.acme.1002.placed", good, `orderId: expected the subject's order`},
		{"another shop's subject", "orders.evil.1001.placed", good, `shop: expected the subject's shop`},
		{"unknown currency", "", edit("SEK", "SEQ"), `currency: expected an ISO 4217 code such as SEK, got "SEQ"`},
		{"lower-case currency", "", edit("SEK", "sek"), `currency: expected an ISO 4217 code`},
		{"float total", "", edit(`"total":"149.50","rows"`, `"total":149.5,"rows"`), `total: expected a decimal string such as "149.50", got the number 149.5`},
		{"too many digits after the point", "", edit(`"149.50","rows"`, `"149.501","rows"`), `total: expected at most 2 digits after the point for SEK, got "149.501"`},
		{"zero", "", edit(`"149.50","rows"`, `"0.00","rows"`), "total: expected more than 0"},
		{"negative", "", edit(`"149.50","rows"`, `"-1","rows"`), "total: expected more than 0"},
		{"over 12 digits", "", edit(`"149.50","rows"`, `"1234567890123","rows"`), "total: expected at most 12 digits, got 13"},
		{"exponent", "", edit(`"149.50","rows"`, `"1e2","rows"`), `total: expected a plain decimal such as "149.50", got "1e2"`},
		{"rows do not sum", "", edit(`"149.50","rows"`, `"150","rows"`), "total: the rows sum to 149.50, not to 150.00"},
		{"no rows", "", edit(`[{"description":"Kaffe","quantity":1,"total":"149.50"}]`, `[]`), "rows: expected at least one row"},
		{"rows are not a list", "", edit(`[{"description":"Kaffe","quantity":1,"total":"149.50"}]`, `"x"`), "rows: expected a list, got a string"},
		{"a row is not an object", "", edit(`[{"description"`, `[7,{"description"`), "rows[0]: expected a JSON object"},
		{"row without quantity", "", edit(`"quantity":1,`, ``), "rows[0].quantity: missing"},
		{"row with quantity 0", "", edit(`"quantity":1,`, `"quantity":"0",`), "rows[0].quantity: expected a quantity that is not 0"},
		{"row with float total", "", edit(`"total":"149.50"}`, `"total":149.50}`), "rows[0].total: expected a decimal string"},
		{"tax over 100", "", edit(`"quantity":1,`, `"quantity":1,"taxRate":"101",`), "rows[0].taxRate: expected 0 to 100 per cent, got 101"},
		{"501 rows", "", many, "rows: expected at most 500 rows, got 502"},
		{"1 MiB of rows", "", many + strings.Repeat(" ", 1<<20), "body: expected at most 262144 bytes"},
		{"relative backUrl", "", edit(`"currency"`, `"backUrl":"back","currency"`), `backUrl: expected an absolute URL`},
		{"bad validFor", "", edit(`"currency"`, `"validFor":"soon","currency"`), `validFor: expected a duration such as "15m" or "PT15M", got "soon"`},
		{"long validFor", "", edit(`"currency"`, `"validFor":"P31D","currency"`), `validFor: expected 1s to 720h0m0s, got 744h0m0s`},
		{"another type", "", `{"specversion":"1.0","type":"seqrflow.order.placed.v2","data":` + good + `}`, `type: expected "seqrflow.order.placed.v1", got "seqrflow.order.placed.v2"`},
		{"an old version of CloudEvents", "", `{"specversion":"0.3","type":"seqrflow.order.placed.v1","data":` + good + `}`, `specversion: expected "1.0"`},
		{"no data", "", `{"specversion":"1.0","type":"seqrflow.order.placed.v1"}`, `data: missing`},
		{"enveloped, missing", "", `{"specversion":"1.0","type":"seqrflow.order.placed.v1","data":{"rows":[{}]}}`, `data.rows[0].description: missing`},
		{"javascript backUrl", "", edit(`"currency"`, `"backUrl":"JavaScript:alert(1)","currency"`), `backUrl: expected http, https or an app's own scheme, got "javascript"`},
		{"data backUrl", "", edit(`"currency"`, `"backUrl":"data:text/html,x","currency"`), `backUrl: expected http, https or an app's own scheme, got "data"`},
		{"vbscript backUrl", "", edit(`"currency"`, `"backUrl":"vbscript:x","currency"`), `backUrl: expected http, https or an app's own scheme, got "vbscript"`},
		{"file backUrl", "", edit(`"currency"`, `"backUrl":"file:///etc/passwd","currency"`), `backUrl: expected http, https or an app's own scheme, got "file"`},
		{"a buyer's key that is no hash", "", edit(`"currency"`, `"buyerKeyHash":"wc_order_1","currency"`), `buyerKeyHash: expected a SHA-256 in 64 lower-case hex digits`},
		{"null invoiceId", "", edit(`"currency"`, `"invoiceId":null,"currency"`), `invoiceId: expected a value, got null`},
		{"null validFor", "", edit(`"currency"`, `"validFor":null,"currency"`), `validFor: expected a value, got null`},
		{"empty backUrl", "", edit(`"currency"`, `"backUrl":"","currency"`), `backUrl: expected a value, got ""`},
		{"misspelt validFor", "", edit(`"currency"`, `"valid_for":"1h","currency"`), `valid_for: unknown field with a name like that of "validFor"`},
		{"misspelt invoiceId", "", edit(`"currency"`, `"invoiceID":"1001-b","currency"`), `invoiceID: unknown field with a name like that of "invoiceId"`},
		{"misspelt backUrl", "", edit(`"currency"`, `"backURL":"https://x","currency"`), `backURL: unknown field with a name like that of "backUrl"`},
		{"an id in Latin-1", "orders.acme.x-jpx37plq.placed", edit(`"1001"`, "\"K\xf6p\""), `orderId: expected UTF-8`},
		{"half a character in an id", "orders.acme.x-56745po.placed", edit(`"1001"`, `"K\ud800"`), `orderId: expected no U+FFFD, which stands for a character that could not be read`},
		{"a lost character in an invoiceId", "", edit(`"currency"`, `"invoiceId":"K\ufffdp","currency"`), `invoiceId: expected no U+FFFD`},
		{"a description in Latin-1", "", edit(`Kaffe`, "K\xf6p"), `rows[0].description: expected UTF-8`},
		{"a total given twice", "", edit(`"currency"`, `"total":"1","currency"`), `total: expected once, got 2 times`},
		{"a key given twice in a row", "", edit(`"quantity":1`, `"quantity":1,"quantity":2`), `rows[0].quantity: expected once, got 2 times`},
		{"data given twice", "", `{"specversion":"1.0","type":"seqrflow.order.placed.v1","data":` + good + `,"data":` + good + `}`, `data: expected once, got 2 times`},
	}
	for _, c := range cases {
		if c.subject == "" {
			c.subject = "orders.acme.1001.placed"
		}
		if _, err := events.DecodeOrder(message(c.subject, c.body)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v; want %q", c.name, err, c.want)
		}
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	_, err := events.DecodeOrder(message("orders.acme.1001.placed", `{"shop":"acme","orderId":"1001","currency":"X","rows":[{"description":"a","total":1}]}`))
	for _, path := range []string{"currency:", "total: missing", "rows[0].quantity: missing", "rows[0].total:"} {
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%v does not tell of %s", err, path)
		}
	}
}

func TestEachProblemIsToldOnce(t *testing.T) {
	_, err := events.DecodeOrder(message("orders.acme.1001.placed", `{"invoiceId":null}`))
	for _, problem := range []string{"orderId: missing", "shop: missing", "rows: missing", "invoiceId: expected a value"} {
		if n := strings.Count(fmt.Sprint(err), problem); n != 1 {
			t.Errorf("%q is told %d times in %v", problem, n, err)
		}
	}
}

func TestSubjectErrors(t *testing.T) {
	for subject, want := range map[string]string{
		"orders.acme.10.01.placed":  "got 5 tokens",
		"orders.acme.10%01.placed":  `the id token "10%01" is not 1 to 64`,
		"orders.acme.1001.invented": `the event "invented" is not one of placed, canceled, returned`,
	} {
		if _, err := message(subject, good).Address(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", subject, err, want)
		}
	}
}

func TestReturnAndCancellation(t *testing.T) {
	r, err := events.DecodeReturn(message("orders.acme.1.returned", `{"shop":"acme","orderId":"1","refundId":"r1","rows":[{"description":"a","quantity":2,"total":"10"},{"description":"b","quantity":1,"total":"5.5"}]}`))
	if err != nil || r.Amount == nil || r.Amount.String() != "15.5" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := events.DecodeReturn(message("orders.acme.1.returned", `{"shop":"acme","orderId":"1"}`)); err == nil || !strings.Contains(err.Error(), "refundId: missing") {
		t.Error(err)
	}
	if _, err := events.DecodeReturn(message("orders.acme.1.returned", `{"shop":"acme","orderId":"1","refundId":"r","amount":"-2"}`)); err == nil || !strings.Contains(err.Error(), "amount: expected more than 0") {
		t.Error(err)
	}
	c, err := events.DecodeCancellation(message("orders.acme.1.canceled", `{"shop":"acme","orderId":"1","invoiceId":"1-b"}`))
	if err != nil || c.Key().String() != "acme/1-b" {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = events.DecodeCancellation(message("orders.acme.1.canceled", `{"shop":"acme","orderId":"1","keepPaid":true}`))
	if err != nil || !c.KeepPaid {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestDurations(t *testing.T) {
	for in, want := range map[string]time.Duration{"15m": 15 * time.Minute, "PT15M": 15 * time.Minute, "P1DT2H3S": 26*time.Hour + 3*time.Second} {
		o, err := events.DecodeOrder(message("orders.acme.1001.placed", strings.Replace(good, `"currency"`, fmt.Sprintf(`"validFor":%q,"currency"`, in), 1)))
		if err != nil || time.Duration(o.ValidFor) != want {
			t.Errorf("%s: %s, %v", in, o.ValidFor, err)
		}
	}
}

func TestTokens(t *testing.T) {
	long := strings.Repeat("ö", 40)
	for in, want := range map[string]string{
		"1001": "1001", "A_b-9": "A_b-9", "10 01": "x-geycambr", "x-1": "x-pawtc", "": "x-",
		strings.Repeat("a", 64): strings.Repeat("a", 64),
	} {
		if got := events.Token(in); got != want {
			t.Errorf("Token(%q) = %q; want %q", in, got, want)
		}
	}
	if got := events.Token(long); len(got) != 54 || !strings.HasPrefix(got, "x-") {
		t.Errorf("a long id became %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if !events.IsToken(events.Token(a)) && a != "" {
			t.Fatalf("Token(%q) = %q is no token", a, events.Token(a))
		}
		if a != b && events.Token(a) == events.Token(b) {
			t.Fatalf("%q and %q have the same token", a, b)
		}
	})
}

func TestAmountsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64Range(-99_999_999_999, 99_999_999_999).Draw(t, "minor")
		s := fmt.Sprintf("%d.%02d", minor/100, abs(minor%100))
		if minor < 0 && minor > -100 {
			s = "-" + s
		}
		a, err := events.ParseAmount(s)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back events.Amount
		if err := json.Unmarshal(body, &back); err != nil || back.Cmp(a) != 0 || back.In("SEK") != s {
			t.Fatalf("%s became %s became %s: %v", s, body, back, err)
		}
	})
}

func abs(n int64) int64 { return max(n, -n) }

func TestCurrencies(t *testing.T) {
	got := map[string]int{}
	for _, c := range []string{"SEK", "EUR", "NOK", "JPY", "KWD"} {
		got[c], _ = events.CurrencyDigits(c)
	}
	if diff := cmp.Diff(map[string]int{"SEK": 2, "EUR": 2, "NOK": 2, "JPY": 0, "KWD": 3}, got); diff != "" {
		t.Error(diff)
	}
	for _, c := range []string{"", "XX", "EDA", "sek", "D A", "XAU"} {
		if _, ok := events.CurrencyDigits(c); ok {
			t.Errorf("%q is taken for a currency", c)
		}
	}
}

// A shop that took one of our own refundIds would keep what follows from a canceled order from being paid back.
func TestRefundIDsOfOurOwnAreReserved(t *testing.T) {
	bare := `{"orderId":"1","shop":"acme","refundId":"%s","amount":"4"}`
	for _, id := range []string{events.RefundLate, events.RefundCancel, "cancel-rest", events.RefundSecond, "late-rest", "second-rest-2", "cancel-rest-13"} {
		m := events.Message{Subject: "orders.acme.1.returned", Body: fmt.Appendf(nil, bare, id)}
		if _, err := events.DecodeReturn(m); err == nil || !strings.Contains(err.Error(), "refundId: expected an id of the shop's own") {
			t.Errorf("%s: %v", id, err)
		}
		m.Body = fmt.Appendf(nil, `{"specversion":"1.0","id":"a","source":"/seqrflow/canceler","type":"seqrflow.order.returned.v1","data":`+bare+`}`, id)
		if _, err := events.DecodeReturn(m); err == nil || !strings.Contains(err.Error(), "refundId: expected an id of the shop's own") {
			t.Errorf("%s, from a source that says to be the canceler: %v", id, err)
		}
		if !events.IsReservedRefund(id) {
			t.Errorf("%s is not reserved", id)
		}
	}
	for _, id := range []string{"r1", "cancel-rest-1", "cancel-rest-02", "cancel-restore", "late-2", "r1-rest"} {
		if events.IsReservedRefund(id) {
			t.Errorf("%s is reserved", id)
		}
	}
}

func TestOpenSubjects(t *testing.T) {
	k := events.KeyOf("acme", "10.01")
	if got, err := events.ParseOpenSubject(k.Open()); err != nil || got != k || k.Open() != "open.acme."+events.Token("10.01") {
		t.Errorf("%s was read as %s, %v", k.Open(), got, err)
	}
	for subject, want := range map[string]string{
		"open.acme":                 "expected open.<shop>.<invoice>",
		"open.acme.10.01":           "expected open.<shop>.<invoice>",
		"invoices.acme.1001":        "expected open.<shop>.<invoice>",
		"open..1001":                `the shop token "" is not`,
		"open.acme.10%01":           `the invoice token "10%01" is not`,
		"invoices.acme.1001.issued": "expected open.<shop>.<invoice>",
	} {
		if k, err := events.ParseOpenSubject(subject); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v; want %q", subject, k, err, want)
		}
	}
}
