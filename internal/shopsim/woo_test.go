package shopsim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/shopsim"
)

// items are quantity × price at a tax rate.
func items(rate string, list ...string) (out []shopsim.Item) {
	for _, one := range list {
		quantity, price, _ := strings.Cut(one, " × ")
		out = append(out, shopsim.Item{Name: "Goods", Quantity: quantity, Price: price, TaxRate: rate})
	}
	return out
}

// The totals were worked out by hand.
func TestATotalIsThatOfTheRealShop(t *testing.T) {
	for name, c := range map[string]struct {
		inside     bool
		cart       shopsim.Cart
		total, tax string
		rows       string // total+tax of each row
	}{
		"tax inside": {true, shopsim.Cart{Items: items("25", "1 × 149.50")}, "149.50", "29.90", "119.60+29.90"},
		// Net 65/1.15 = 56.521739 and 50/1.15 = 43.478261: with their taxes of 8.48 and 6.52 they are 115.00.
		"two rows, tax inside": {true, shopsim.Cart{Items: items("15", "1 × 65", "1 × 50")}, "115.00", "15.00", "56.52+8.48 43.48+6.52"},
		// Net 519.026087 and 567.026087: the rows' rounded amounts are one cent more than the total.
		"15 % inside":        {true, shopsim.Cart{Items: items("15", "6 × 99.48", "6 × 108.68")}, "1248.95", "162.90", "519.03+77.85 567.03+85.05"},
		"tax on top":         {false, shopsim.Cart{Items: items("12", "1 × 35.71"), Shipping: []shopsim.Charge{{"Post", "3.13", "12"}}}, "43.51", "4.67", "35.71+4.29 3.13+0.38"},
		"discount":           {false, shopsim.Cart{Items: items("", "1 × 149.95"), Discount: "10"}, "134.95", "0.00", "134.95+0.00"},
		"negative fee":       {false, shopsim.Cart{Items: items("25", "1 × 100"), Fees: []shopsim.Charge{{"Loyal", "-10", "25"}}}, "112.50", "22.50", "100.00+25.00 -10.00+-2.50"},
		"gift card":          {false, shopsim.Cart{Items: items("", "2 × 50"), GiftCard: "30"}, "70.00", "0.00", "100.00+0.00"},
		"no minor unit":      {false, shopsim.Cart{Items: items("10", "3 × 333"), Currency: "JPY"}, "1099", "100", "999+100"},
		"part of a unit":     {false, shopsim.Cart{Items: items("25", "0.5 × 10.01")}, "6.26", "1.25", "5.01+1.25"},
		"nothing of it":      {false, shopsim.Cart{Items: items("25", "0 × 10")}, "0.00", "0.00", "0.00+0.00"},
		"nothing to pay":     {false, shopsim.Cart{Items: items("", "1 × 10"), Discount: "100"}, "0.00", "0.00", "0.00+0.00"},
		"rates of all kinds": {false, shopsim.Cart{Items: append(items("25", "1 × 10"), items("6", "1 × 10")...)}, "23.10", "3.10", "10.00+2.50 10.00+0.60"},
	} {
		t.Run(name, func(t *testing.T) {
			shop := openWoo(t, shopsim.WooConfig{PricesIncludeTax: c.inside})
			o := shop.Place(c.cart)
			var rows []string
			for _, l := range o.LineItems {
				rows = append(rows, l.Total+"+"+l.TotalTax)
			}
			for _, l := range append(o.ShippingLines, o.FeeLines...) {
				rows = append(rows, l.Total+"+"+l.TotalTax)
			}
			if got := strings.Join(rows, " "); o.Total != c.total || o.TotalTax != c.tax || got != c.rows {
				t.Errorf("total %s with tax %s of rows %s, expected %s, %s and %s", o.Total, o.TotalTax, got, c.total, c.tax, c.rows)
			}
			if o.NeedsPayment != (c.total != "0.00") {
				t.Errorf("needs payment: %v", o.NeedsPayment)
			}
			for _, l := range o.LineItems {
				for _, tax := range l.Taxes {
					if tax.ID < 1 || int(tax.ID) > len(o.TaxLines) || o.TaxLines[tax.ID-1].RateID != tax.ID {
						t.Errorf("the tax of rate %d has no tax line in %+v", tax.ID, o.TaxLines)
					}
				}
			}
		})
	}
}

func TestAnOrderAsTheAPIGivesIt(t *testing.T) {
	shop := openWoo(t, shopsim.WooConfig{PricesIncludeTax: true})
	o := shop.Place(shopsim.Cart{Items: []shopsim.Item{{Name: "Lykta 🕯", SKU: "L-1", Price: "125", Quantity: "2", TaxRate: "25"}}, Discount: "50"})
	got := shop.call(t, "GET", fmt.Sprintf("orders/%d", o.ID), "")
	if got.code != 200 {
		t.Fatal(got)
	}
	for path, want := range map[string]string{
		"id": fmt.Sprint(o.ID), "number": fmt.Sprint(o.ID), "order_key": o.OrderKey, "status": "pending", "currency": "SEK", "payment_method": "seqr", "total": "125.00",
		"date_created": "2026-11-26T08:00:00", "date_created_gmt": "2026-11-26T06:00:00", "date_paid": "null", "refunds": "[]", "prices_include_tax": "true",
		"discount_total": "100.00", "discount_tax": "25.00", "needs_payment": "true",
	} {
		if v := got.value(t, path); v != want {
			t.Errorf("%s is %s, expected %s", path, v, want)
		}
	}
	var rows struct {
		Lines   []map[string]any `json:"line_items"`
		Taxes   []map[string]any `json:"tax_lines"`
		Coupons []map[string]any `json:"coupon_lines"`
	}
	if err := json.Unmarshal([]byte(got.body), &rows); err != nil {
		t.Fatal(err)
	}
	l := rows.Lines[0]
	if l["quantity"] != 2.0 || l["price"] != 50.0 || l["subtotal"] != "200.00" || l["subtotal_tax"] != "50.00" || l["total"] != "100.00" || l["total_tax"] != "25.00" {
		t.Errorf("row %v", l)
	}
	if rows.Taxes[0]["rate_percent"] != 25.0 || len(rows.Coupons) != 1 {
		t.Errorf("taxes %v, coupons %v", rows.Taxes, rows.Coupons)
	}
}

func TestAListHasWhatTheQueryAsksFor(t *testing.T) {
	shop := openWoo(t, shopsim.WooConfig{})
	var ids []int64
	for i := range 5 { // one each minute from 06:00:00 UTC, 08:00:00 in the shop
		o := shop.Place(shopsim.Cart{Items: items("", "1 × 10"), Draft: i == 4})
		ids = append(ids, o.ID)
		shop.clock.advance(time.Minute)
	}
	if err := shop.SetStatus(ids[1], "on-hold"); err != nil { // modified at 06:05
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"":                            "4 3 2 1 0 (5 on 1)",
		"?status=pending":             "3 2 0 (3 on 1)",
		"?status=pending,on-hold":     "3 2 1 0 (4 on 1)",
		"?status=checkout-draft":      "4 (1 on 1)",
		"?per_page=2":                 "4 3 (5 on 3)",
		"?per_page=2&page=3":          "0 (5 on 3)",
		"?per_page=2&page=4":          " (5 on 3)",
		"?orderby=modified&order=asc": "0 2 3 4 1 (5 on 1)",
		// Exclusive, and in whole seconds.
		"?modified_after=2026-11-26T06:03:00&dates_are_gmt=true":                "4 1 (2 on 1)",
		"?modified_after=2026-11-26T06:02:59Z&dates_are_gmt=true":               "4 3 1 (3 on 1)",
		"?modified_after=2026-11-26T08:03:00":                                   "4 1 (2 on 1)",
		"?modified_after=2026-11-26T06:03:00":                                   "4 3 2 1 0 (5 on 1)",
		"?status=pending&modified_after=2026-11-26T06:02:59&dates_are_gmt=true": "3 (1 on 1)",
	} {
		a := shop.call(t, "GET", "orders"+query, "")
		var list []struct{ ID int64 }
		if err := json.Unmarshal([]byte(a.body), &list); err != nil {
			t.Fatalf("%s: %v in %s", query, err, a.body)
		}
		var got []string
		for _, o := range list {
			for i, id := range ids {
				if id == o.ID {
					got = append(got, fmt.Sprint(i))
				}
			}
		}
		text := fmt.Sprintf("%s (%s on %s)", strings.Join(got, " "), a.header.Get("X-WP-Total"), a.header.Get("X-WP-TotalPages"))
		if text != want {
			t.Errorf("orders%s: %s, expected %s", query, text, want)
		}
		if date := a.header.Get("Date"); date != "Thu, 26 Nov 2026 06:05:00 GMT" {
			t.Errorf("Date %q", date)
		}
	}
}

func TestErrorsOfTheAPI(t *testing.T) {
	shop := openWoo(t, shopsim.WooConfig{})
	o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	for _, c := range []struct {
		method, path, body, code string
		status                   int
	}{
		{"GET", "orders/999999", "", "woocommerce_rest_shop_order_invalid_id", 404},
		{"PUT", "orders/999999", `{"status":"processing"}`, "woocommerce_rest_shop_order_invalid_id", 400},
		{"POST", "orders/999999/notes", `{"note":"x"}`, "woocommerce_rest_order_invalid_id", 404},
		{"POST", "orders/%d/notes", `{}`, "rest_missing_callback_param", 400},
		{"PUT", "orders/%d", `{"status":"shipped"}`, "rest_invalid_param", 400},
		{"PUT", "orders/%d", `{"set_paid":"yes"}`, "rest_invalid_param", 400},
		{"PUT", "orders/%d", `{"transaction_id":7}`, "rest_invalid_param", 400},
		{"PUT", "orders/%d", `{"status"`, "rest_invalid_json", 400},
		{"POST", "orders/%d/refunds", `{"amount":"10.01"}`, "woocommerce_rest_cannot_create_order_refund", 400},
		{"POST", "orders/%d/refunds", `{"amount":"ten"}`, "woocommerce_rest_invalid_order_refund", 400},
		{"GET", "orders?per_page=101", "", "rest_invalid_param", 400},
		{"GET", "orders?page=0", "", "rest_invalid_param", 400},
		{"GET", "orders?status=shipped", "", "rest_invalid_param", 400},
		{"GET", "orders?modified_after=yesterday", "", "rest_invalid_param", 400},
		{"DELETE", "orders/%d", "", "rest_no_route", 404},
		{"GET", "customers", "", "rest_no_route", 404},
		{"PUT", "webhooks/9", `{"status":"active"}`, "woocommerce_rest_shop_webhook_invalid_id", 400},
		{"POST", "webhooks", `{"topic":"order.paid","delivery_url":"http://x"}`, "woocommerce_rest_shop_webhook_invalid_topic", 400},
		{"POST", "webhooks", `{"topic":"order.updated"}`, "rest_missing_callback_param", 400},
	} {
		path := strings.Replace(c.path, "%d", fmt.Sprint(o.ID), 1)
		a := shop.call(t, c.method, path, c.body)
		if a.code != c.status || a.value(t, "code") != c.code || a.value(t, "data", "status") != fmt.Sprint(c.status) {
			t.Errorf("%s %s %s: %d %s, expected %d %s", c.method, path, c.body, a.code, a.body, c.status, c.code)
		}
	}
	for credentials, code := range map[string]string{
		"": "woocommerce_rest_cannot_view", "ck_demo:cs_wrong": "woocommerce_rest_authentication_error", "ck_wrong:cs_demo": "woocommerce_rest_authentication_error",
	} {
		header := basic(strings.Split(credentials+":", ":")[0], strings.Split(credentials+":", ":")[1])
		if credentials == "" {
			header = nil
		}
		if a := send(t, "GET", shop.url+"orders", header, ""); a.code != 401 || a.value(t, "code") != code {
			t.Errorf("credentials %q: %d %s", credentials, a.code, a.body)
		}
	}
	if got := kinds(shop.Effects(o.ID)); got != "placed 10.00 SEK by person" {
		t.Errorf("the refused calls had effects: %s", got)
	}
}

// How an order is paid through the API, in each state that a person may have moved it to.
func TestSetPaidPaysOnlyAnOrderThatNeedsPayment(t *testing.T) {
	paid := `{"set_paid":true,"transaction_id":"ers-1"}`
	for name, c := range map[string]struct {
		from, price, body string // the status that a person has set
		status            string
		datePaid          bool
		effects           string
	}{
		"pending":             {"", "10", paid, "processing", true, "transaction ers-1 by api, status processing by api, paid ers-1 by api"},
		"failed":              {"failed", "10", paid, "processing", true, "status failed by person, transaction ers-1 by api, status processing by api, paid ers-1 by api"},
		"on-hold":             {"on-hold", "10", paid, "on-hold", false, "status on-hold by person, transaction ers-1 by api"},
		"on-hold, by status":  {"on-hold", "10", `{"status":"processing"}`, "processing", true, "status on-hold by person, status processing by api, paid  by api"},
		"canceled":            {"cancelled", "10", paid, "cancelled", false, "status cancelled by person, transaction ers-1 by api"},
		"completed by person": {"completed", "10", paid, "completed", true, "status completed by person, paid  by person, transaction ers-1 by api, paid again ers-1 by api"},
		"free":                {"", "0", paid, "pending", false, "transaction ers-1 by api"},
		"nothing":             {"", "10", `{}`, "pending", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			shop := openWoo(t, shopsim.WooConfig{})
			o := shop.Place(shopsim.Cart{Items: items("", "1 × "+c.price)})
			if c.from != "" {
				if err := shop.SetStatus(o.ID, c.from); err != nil {
					t.Fatal(err)
				}
			}
			a := shop.call(t, "PUT", fmt.Sprintf("orders/%d", o.ID), c.body)
			if a.code != 200 || a.value(t, "status") != c.status || (a.value(t, "date_paid_gmt") != "null") != c.datePaid {
				t.Errorf("%d: status %s, paid at %s", a.code, a.value(t, "status"), a.value(t, "date_paid_gmt"))
			}
			if got := kinds(shop.Effects(o.ID)[1:]); got != c.effects {
				t.Errorf("effects: %s, expected %s", got, c.effects)
			}
		})
	}
}

func TestASecondPaymentIsRecorded(t *testing.T) {
	shop := openWoo(t, shopsim.WooConfig{})
	o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	for range 2 {
		shop.call(t, "PUT", fmt.Sprintf("orders/%d", o.ID), `{"set_paid":true,"transaction_id":"ers-1"}`)
		shop.clock.advance(time.Hour)
	}
	if err := shop.SetStatus(o.ID, "completed"); err != nil { // sent: it was paid before
		t.Fatal(err)
	}
	if got := kinds(shop.Effects(o.ID, shopsim.EffectPaid, shopsim.EffectPaidAgain)); got != "paid ers-1 by api, paid again ers-1 by api" {
		t.Error(got)
	}
	if after, err := shop.Order(o.ID); err != nil || after.DatePaidGMT == nil || *after.DatePaidGMT != "2026-11-26T06:00:00" {
		t.Errorf("%+v %v", after, err)
	}
}

func TestRefundsAndNotes(t *testing.T) {
	shop := openWoo(t, shopsim.WooConfig{})
	o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	first, err := shop.Refund(o.ID, "4", "broken")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shop.Refund(o.ID, "6.01", ""); err == nil {
		t.Error("more was refunded than is left")
	}
	if a := shop.call(t, "POST", fmt.Sprintf("orders/%d/refunds", o.ID), `{"amount":"6.00","reason":"late"}`); a.code != 201 {
		t.Error(a)
	}
	a := shop.call(t, "GET", fmt.Sprintf("orders/%d", o.ID), "")
	want := fmt.Sprintf(`[{"id":%d,"reason":"broken","total":"-4.00"},`, first)
	if !strings.HasPrefix(a.value(t, "refunds"), want) || a.value(t, "status") != "refunded" {
		t.Errorf("refunds %s, status %s", a.value(t, "refunds"), a.value(t, "status"))
	}
	for _, note := range []string{"one", "two"} {
		if a := shop.call(t, "POST", fmt.Sprintf("orders/%d/notes", o.ID), `{"note":"`+note+`"}`); a.code != 201 || a.value(t, "note") != note {
			t.Error(a)
		}
	}
	if a := shop.call(t, "GET", fmt.Sprintf("orders/%d/notes", o.ID), ""); strings.Index(a.body, `"two"`) > strings.Index(a.body, `"one"`) {
		t.Errorf("not the newest first: %s", a.body)
	}
	if got := kinds(shop.Effects(o.ID, shopsim.EffectNote)); got != "note one by api, note two by api" {
		t.Error(got)
	}
}

func TestAnOrderOfTheAPI(t *testing.T) {
	shop := openWoo(t, shopsim.WooConfig{})
	a := shop.call(t, "POST", "orders", `{"payment_method":"bacs","line_items":[{"name":"Goods","quantity":1,"total":"12.50"}]}`)
	if a.code != 201 || a.value(t, "total") != "12.50" || a.value(t, "payment_method") != "bacs" {
		t.Error(a)
	}
	if a := shop.call(t, "POST", "orders", `{"line_items":[{"total":"a lot"}]}`); a.code != 400 {
		t.Error(a)
	}
}

func TestFaults(t *testing.T) {
	released := make(chan struct{})
	for name, c := range map[string]struct {
		fault shopsim.Fault
		code  int // of the first call; 0 for a connection that ended
		notes int // after it
	}{
		"code":                    {shopsim.Fault{Code: 503}, 503, 0},
		"code after the effect":   {shopsim.Fault{Code: 502, Effect: true, Body: "<html>"}, 502, 1},
		"dropped before":          {shopsim.Fault{Drop: true}, 0, 0},
		"dropped after":           {shopsim.Fault{Drop: true, Effect: true}, 0, 1},
		"rate limit":              {shopsim.RateLimited(1, 7), 429, 0},
		"delay":                   {shopsim.Fault{Delay: time.Millisecond}, 201, 1},
		"until":                   {shopsim.Fault{Until: released}, 201, 1},
		"of another operation":    {shopsim.Fault{On: shopsim.OpUpdateOrder, Code: 500}, 201, 1},
		"of this operation alone": {shopsim.Fault{On: shopsim.OpCreateNote, Code: 500}, 500, 0},
	} {
		t.Run(name, func(t *testing.T) {
			shop := openWoo(t, shopsim.WooConfig{})
			o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
			c.fault.Times = 1
			shop.SetFaults(c.fault)
			if name == "until" {
				go close(released)
			}
			a := shop.call(t, "POST", fmt.Sprintf("orders/%d/notes", o.ID), `{"note":"x"}`)
			if a.code != c.code || (a.err != nil) != (c.code == 0) {
				t.Errorf("%+v", a)
			}
			if c.code == 429 && a.header.Get("Retry-After") != "7" {
				t.Errorf("%v", a.header)
			}
			if n := len(shop.Effects(o.ID, shopsim.EffectNote)); n != c.notes {
				t.Errorf("%d notes, expected %d", n, c.notes)
			}
			if a := shop.call(t, "POST", fmt.Sprintf("orders/%d/notes", o.ID), `{"note":"y"}`); a.code != 201 {
				t.Errorf("the fault came twice: %+v", a)
			}
		})
	}
	shop := openWoo(t, shopsim.WooConfig{})
	if err := shop.Touch(1); !errors.Is(err, shopsim.ErrNoOrder) {
		t.Error(err)
	}
}
