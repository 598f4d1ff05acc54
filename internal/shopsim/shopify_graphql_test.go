package shopsim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/shopsim"
)

const (
	markAsPaid = `mutation Pay($input: OrderMarkAsPaidInput!) { orderMarkAsPaid(input: $input) { order { id } userErrors { field message } } }`
	cancel     = `mutation($orderId: ID!, $reason: OrderCancelReason!) { orderCancel(orderId: $orderId, reason: $reason, restock: true) { orderCancelUserErrors { message } } }`
)

func TestTheOrderOfTheAPI(t *testing.T) {
	shop := openShopify(t, shopsim.ShopifyConfig{})
	o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	byVariable := shop.ask(t, `query($id: ID!) { order(id: $id) { ...f } } fragment f on Order { id }`, map[string]any{"id": o.GraphQLID})
	byText := shop.ask(t, "{\n  it: order(id: \""+o.GraphQLID+"\") { id }\n  shop { name } currentAppInstallation { accessScopes { handle } }\n}", nil)
	for path, want := range map[string]string{
		"id": o.GraphQLID, "displayFinancialStatus": "PENDING", "canMarkAsPaid": "true", "cancelledAt": "null", "tags": "[]", "note": "", "fullyPaid": "false",
	} {
		if v := byVariable.value(t, "data", "order", path); v != want {
			t.Errorf("%s is %s, expected %s", path, v, want)
		}
		if v := byText.value(t, "data", "it", path); v != want {
			t.Errorf("%s is %s, expected %s", path, v, want)
		}
	}
	if v := byVariable.value(t, "data", "order", "totalOutstandingSet", "shopMoney", "amount"); v != "10.00" {
		t.Error(v)
	}
	if byText.value(t, "data", "shop", "myshopifyDomain") != "fjell.myshopify.com" || !strings.Contains(byText.body, "write_orders") {
		t.Error(byText.body)
	}
	if a := shop.ask(t, `query($id: ID!) { order(id: $id) { id } }`, map[string]any{"id": "gid://shopify/Order/1"}); a.value(t, "data", "order") != "null" {
		t.Error(a.body)
	}
}

func TestMutations(t *testing.T) {
	shop, d := openShopify(t, shopsim.ShopifyConfig{}), newDestination(t)
	shop.follow(d, orderTopics...)
	paid := shop.Place(shopsim.Cart{Items: items("", "1 × 10"), GiftCard: "4"})
	off := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	input := func(o shopsim.ShopifyOrder, more ...string) map[string]any {
		in := map[string]any{"id": o.GraphQLID}
		for i := 0; i < len(more); i += 2 {
			in[more[i]] = more[i+1]
		}
		return map[string]any{"input": in}
	}
	tags := map[string]any{"id": paid.GraphQLID, "tags": []string{"seqr-paid"}}
	for _, c := range []struct {
		name, query string
		variables   map[string]any
		field, err  string
	}{
		{"paid", markAsPaid, input(paid), "orderMarkAsPaid", ""},
		{"paid again", markAsPaid, input(paid), "orderMarkAsPaid", "Order cannot be marked as paid."},
		{"canceled", cancel, map[string]any{"orderId": off.GraphQLID, "reason": "DECLINED"}, "orderCancel", ""},
		{"canceled again", cancel, map[string]any{"orderId": off.GraphQLID, "reason": "DECLINED"}, "orderCancel", "Order has already been cancelled"},
		{"canceled, then paid", markAsPaid, input(off), "orderMarkAsPaid", "Order cannot be marked as paid."},
		{"unknown", markAsPaid, map[string]any{"input": map[string]any{"id": "gid://shopify/Order/7"}}, "orderMarkAsPaid", "Order does not exist"},
		{"noted", `mutation($input: OrderInput!) { orderUpdate(input: $input) { userErrors { message } } }`, input(paid, "note", "paid by SEQR"), "orderUpdate", ""},
		{"noted again", `mutation($input: OrderInput!) { orderUpdate(input: $input) { userErrors { message } } }`, input(paid, "note", "paid by SEQR"), "orderUpdate", ""},
		{"tagged", `mutation($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { userErrors { message } } }`, tags, "tagsAdd", ""},
		{"tagged again", `mutation($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { userErrors { message } } }`, tags, "tagsAdd", ""},
	} {
		a := shop.ask(t, c.query, c.variables)
		errs := a.value(t, "data", c.field, "userErrors")
		if a.code != 200 || (errs == "[]") != (c.err == "") || !strings.Contains(errs, c.err) {
			t.Errorf("%s: %d %s", c.name, a.code, a.body)
		}
	}
	if got := kinds(shop.Effects(paid.ID)[1:]); got != "paid 6.00 by api, note paid by SEQR by api, tags seqr-paid by api" {
		t.Error(got)
	}
	if got := kinds(shop.Effects(off.ID)[1:]); got != "canceled declined by api" {
		t.Error(got)
	}
	if after, err := shop.Order(paid.ID); err != nil || after.FinancialStatus != "paid" || after.TotalOutstanding != "0.00" {
		t.Errorf("%+v", after)
	}
	shop.Wait()
	if got := topics(d.take()); !strings.Contains(got, "orders/paid, orders/updated") || !strings.Contains(got, "orders/cancelled, orders/updated") {
		t.Errorf("what the API changes is sent too: %s", got)
	}
}

func TestSubscriptionsOfTheAPI(t *testing.T) {
	shop := openShopify(t, shopsim.ShopifyConfig{})
	a := shop.ask(t, `mutation($topic: WebhookSubscriptionTopic!, $webhookSubscription: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhookSubscription) { userErrors { message } } }`,
		map[string]any{"topic": "ORDERS_CREATE", "webhookSubscription": map[string]any{"uri": "https://gw.test/hooks"}})
	if a.value(t, "data", "webhookSubscriptionCreate", "userErrors") != "[]" {
		t.Fatal(a.body)
	}
	if subs := shop.Subscriptions(); len(subs) != 1 || subs[0].Topic != "orders/create" || subs[0].URL != "https://gw.test/hooks" {
		t.Errorf("%+v", subs)
	}
	a = shop.ask(t, `{ webhookSubscriptions(first: 50) { nodes { topic uri } } }`, nil)
	if nodes := a.value(t, "data", "webhookSubscriptions", "nodes"); !strings.Contains(nodes, `"topic":"ORDERS_CREATE"`) || !strings.Contains(nodes, `"uri":"https://gw.test/hooks"`) {
		t.Error(nodes)
	}
}

func TestErrorsOfTheGraphQLAPI(t *testing.T) {
	shop := openShopify(t, shopsim.ShopifyConfig{})
	o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	vars := map[string]any{"input": map[string]any{"id": o.GraphQLID}}
	if a := send(t, "POST", shop.url, http.Header{"X-Shopify-Access-Token": {"shpat_wrong"}}, `{"query":"{ shop { name } }"}`); a.code != 401 || !strings.Contains(a.value(t, "errors"), "Invalid API key") {
		t.Error(a)
	}
	for _, path := range []string{strings.Replace(shop.url, "2026-10", "2026-11", 1), strings.TrimSuffix(shop.url, "graphql.json")} {
		if a := send(t, "POST", path, http.Header{"X-Shopify-Access-Token": {"shpat_demo"}}, `{"query":"{ shop { name } }"}`); a.code != 404 {
			t.Errorf("%s: %d", path, a.code)
		}
	}
	for query, want := range map[string]string{
		`{ customers(first: 1) { nodes { id } } }`:                                                 "Field 'customers' doesn't exist",
		`mutation($orderId: ID!) { orderCancel(orderId: $orderId, restock: true) { job { id } } }`: "missing required arguments: reason",
	} {
		if a := shop.ask(t, query, vars); a.code != 200 || !strings.Contains(a.value(t, "errors"), want) {
			t.Error(a)
		}
	}
	if a := shop.ask(t, ``, nil); a.code != 400 {
		t.Error(a)
	}

	shop.SetFaults(shopsim.Throttled(1))
	if a := shop.ask(t, markAsPaid, vars); a.code != 200 || !strings.Contains(a.value(t, "errors"), `"code":"THROTTLED"`) || a.value(t, "extensions", "cost", "throttleStatus", "restoreRate") != "100" {
		t.Error(a)
	}
	shop.SetFaults(shopsim.Fault{On: "orderMarkAsPaid", Drop: true, Effect: true, Times: 1}, shopsim.Fault{On: "order", Code: 503})
	if a := shop.ask(t, markAsPaid, vars); a.err == nil {
		t.Error(a)
	}
	if a := shop.ask(t, `query($id: ID!) { order(id: $id) { id } }`, map[string]any{"id": o.GraphQLID}); a.code != 503 {
		t.Error(a)
	}
	if got := kinds(shop.Effects(o.ID, shopsim.EffectPaid)); got != "paid 10.00 by api" {
		t.Error(got)
	}
}
