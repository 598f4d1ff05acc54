package shopify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/shopify"
	"github.com/seqrflow/seqrflow/pkg/events"
)

const token = "shpat_canary0123456789"

// shop is the Admin API of a shop with one order. Requests are served one after another, as Deliver makes them.
type shop struct {
	*httptest.Server
	mu sync.Mutex // the handler of an answer that is lost may end after the next request has come

	status      string // displayFinancialStatus
	canceledAt  string
	outstanding string
	currency    string
	presentment string // "amount currency" in the buyer's currency; the shop's unless given
	tags        []string
	calls       []string // operations in their order, with what was asked for
	refuse      string   // the userError of the next mutation
	broken      http.HandlerFunc
	lose        string // the answer to this operation is lost
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{status: "PENDING", outstanding: "548.00", currency: "SEK", tags: []string{"a person's"}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) serve(w http.ResponseWriter, r *http.Request) {
	if s.broken != nil {
		s.broken(w, r)
		return
	}
	var call struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	wrong := json.NewDecoder(r.Body).Decode(&call)
	if wrong != nil || r.Method != http.MethodPost || r.URL.Path != "/admin/api/2026-10/graphql.json" || r.Header.Get("X-Shopify-Access-Token") != token {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	operation, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(call.Query, "query "), "mutation "), "(")
	s.mu.Lock()
	defer s.mu.Unlock()
	data := s.answer(operation, call.Variables)
	if operation == s.lose {
		s.lose = ""
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func (s *shop) answer(operation string, v map[string]any) map[string]any {
	said := operation
	input, _ := v["input"].(map[string]any)
	for _, id := range []any{v["id"], v["orderId"], input["id"]} {
		if id != nil && id != "gid://shopify/Order/9007199254740993" {
			return map[string]any{"order": nil}
		}
	}
	result := map[string]any{"userErrors": []any{}}
	change := func(do func()) {
		if s.refuse != "" {
			result["userErrors"] = []any{map[string]any{"message": s.refuse}}
			return
		}
		do()
	}
	switch operation {
	case "look":
		shopMoney := map[string]any{"amount": s.outstanding, "currencyCode": s.currency}
		buyers := shopMoney
		if amount, currency, ok := strings.Cut(s.presentment, " "); ok {
			buyers = map[string]any{"amount": amount, "currencyCode": currency}
		}
		var canceledAt any
		if s.canceledAt != "" {
			canceledAt = s.canceledAt
		}
		s.calls = append(s.calls, said)
		return map[string]any{"order": map[string]any{
			"displayFinancialStatus": s.status, "cancelledAt": canceledAt,
			"totalOutstandingSet": map[string]any{"shopMoney": shopMoney, "presentmentMoney": buyers},
		}}
	case "markAsPaid":
		change(func() { s.status, s.outstanding = "PAID", "0.00" })
	case "cancel":
		said += fmt.Sprintf(" %v restock=%v notify=%v refund=%v %q", v["reason"], v["restock"], v["notifyCustomer"], v["refundMethod"], v["staffNote"])
		change(func() { s.canceledAt = "2026-11-20T11:00:00Z" })
	case "tag":
		said += fmt.Sprint(" ", v["tags"])
		change(func() {
			for _, tag := range v["tags"].([]any) {
				if !slices.Contains(s.tags, tag.(string)) {
					s.tags = append(s.tags, tag.(string))
				}
			}
		})
	}
	s.calls = append(s.calls, said)
	return map[string]any{"result": result}
}

func (s *shop) outbound(t *testing.T) *shopify.Outbound {
	t.Helper()
	o, err := shopify.NewOutbound(shopify.OutboundConfig{Domain: "fjell.myshopify.com", URL: s.URL, APIVersion: "2026-10", Token: token, HTTP: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func amount(t *testing.T, text string) events.Amount {
	t.Helper()
	a, err := events.ParseAmount(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func notice(t *testing.T, name events.Name, change ...func(*events.Invoice)) commerce.Notice {
	t.Helper()
	inv := events.Invoice{Shop: "fjell", InvoiceID: "9007199254740993", OrderID: "9007199254740993", Currency: "SEK", Total: amount(t, "548"), Change: events.Change{Event: name}}
	if name.AboutRefund() {
		inv.Change.RefundID = "929361463000001"
	}
	for _, f := range change {
		f(&inv)
	}
	return commerce.Notice{ID: "x", Name: name, Invoice: inv}
}

// TestACanceledTryDoesNotCancelAnOrderThatGoesOn: Shopify cancels for good, and the buyer has begun another payment.
func TestACanceledTryDoesNotCancelAnOrderThatGoesOn(t *testing.T) {
	s := newShop(t)
	n := notice(t, events.EventCanceled)
	n.GoesOn = true
	if r := s.outbound(t).Deliver(context.Background(), n); r.Status != commerce.Skipped || r.Detail == "" || len(s.calls) > 0 {
		t.Errorf("%+v, calls %v", r, s.calls)
	}
	n = notice(t, events.EventPaid, func(inv *events.Invoice) { inv.InvoiceID += "-2" })
	if r := s.outbound(t).Deliver(context.Background(), n); r.Status != commerce.Delivered || s.status != "PAID" {
		t.Errorf("paid by another try: %+v, the order is %s", r, s.status)
	}
}

// TestDeliver gives what each event does to an order in each state, and that the second delivery does nothing more.
func TestDeliver(t *testing.T) {
	anyOrder := func(*shop) {}
	for _, c := range []struct {
		name    string
		event   events.Name
		order   func(*shop)
		invoice func(*events.Invoice)
		want    commerce.Status
		calls   []string // of the first delivery
		again   []string // of the second
	}{
		{"paid", events.EventPaid, anyOrder, nil, commerce.Delivered, []string{"look", "markAsPaid"}, []string{"look"}},
		{"paid in the buyer's currency", events.EventPaid, func(s *shop) { s.presentment, s.outstanding, s.currency = "548.00 SEK", "50.00", "EUR" }, nil, commerce.Delivered, []string{"look", "markAsPaid"}, []string{"look"}},
		{"paid with the rest on a gift card", events.EventPaid, func(s *shop) { s.status = "PARTIALLY_PAID" }, nil, commerce.Delivered, []string{"look", "markAsPaid"}, []string{"look"}},
		{"paid, and marked by a person", events.EventPaid, func(s *shop) { s.status, s.outstanding = "PAID", "0.00" }, nil, commerce.Delivered, []string{"look"}, []string{"look"}},
		{"paid, and refunded by a person", events.EventPaid, func(s *shop) { s.status = "PARTIALLY_REFUNDED" }, nil, commerce.Delivered, []string{"look"}, []string{"look"}},
		{"paid, and canceled by a person", events.EventPaid, func(s *shop) { s.status, s.canceledAt = "VOIDED", "2026-11-20T10:00:00Z" }, nil, commerce.Skipped, []string{"look"}, []string{"look"}},
		{"paid too late", events.EventPaid, anyOrder, func(inv *events.Invoice) { inv.Late = true }, commerce.Skipped, nil, nil},
		{"paid, and edited meanwhile", events.EventPaid, func(s *shop) { s.outstanding = "600.00" }, nil, commerce.Refused, []string{"look"}, []string{"look"}},
		{"paid in a currency that the order has not", events.EventPaid, func(s *shop) { s.currency = "EUR" }, nil, commerce.Refused, []string{"look"}, []string{"look"}},
		{"paid, and there is no such order", events.EventPaid, anyOrder, func(inv *events.Invoice) { inv.OrderID = "7" }, commerce.Refused, nil, nil},
		{"an order of another system", events.EventPaid, anyOrder, func(inv *events.Invoice) { inv.OrderID = "A-1" }, commerce.Skipped, nil, nil},
		{"canceled", events.EventCanceled, anyOrder, nil, commerce.Delivered, []string{"look", `cancel OTHER restock=true notify=false refund=map[originalPaymentMethodsRefund:false] "SEQR: the payment was canceled"`}, []string{"look"}},
		{"expired", events.EventExpired, anyOrder, nil, commerce.Delivered, []string{"tag [SEQR expired]"}, []string{"tag [SEQR expired]"}},
		{"failed", events.EventFailed, anyOrder, nil, commerce.Delivered, []string{"tag [SEQR failed]"}, []string{"tag [SEQR failed]"}},
		{"canceled, and paid by another try", events.EventCanceled, func(s *shop) { s.status = "PAID" }, nil, commerce.Skipped, []string{"look"}, []string{"look"}},
		{"canceled, and canceled by a person", events.EventCanceled, func(s *shop) { s.status, s.canceledAt = "VOIDED", "2026-11-20T10:00:00Z" }, nil, commerce.Delivered, []string{"look"}, []string{"look"}},
		{"canceled with a part on a gift card", events.EventCanceled, func(s *shop) { s.status = "PARTIALLY_PAID" }, nil, commerce.Delivered, []string{"look", "tag [SEQR canceled]"}, []string{"look", "tag [SEQR canceled]"}},
		{"rejected", events.EventRejected, anyOrder, nil, commerce.Delivered, []string{"tag [SEQR rejected]"}, []string{"tag [SEQR rejected]"}},
		{"refunded", events.EventRefunded, anyOrder, nil, commerce.Delivered, []string{"tag [SEQR refund 929361463000001 paid]"}, []string{"tag [SEQR refund 929361463000001 paid]"}},
		{"refund failed", events.EventRefundFailed, anyOrder, nil, commerce.Delivered, []string{"tag [SEQR refund 929361463000001 failed]"}, []string{"tag [SEQR refund 929361463000001 failed]"}},
		{"refund unknown, with an odd id", events.EventRefundUnknown, anyOrder, func(inv *events.Invoice) { inv.Change.RefundID = "a,b" + strings.Repeat("c", 50) }, commerce.Delivered, []string{"tag [SEQR refund a bcccccccccccccccc… unknown]"}, []string{"tag [SEQR refund a bcccccccccccccccc… unknown]"}},
		{"issued", events.EventIssued, anyOrder, nil, commerce.Skipped, nil, nil},
		{"overdue", events.EventOverdue, anyOrder, nil, commerce.Skipped, nil, nil},
		{"receipted", events.EventReceipted, anyOrder, nil, commerce.Skipped, nil, nil},
		{"refunding", events.EventRefunding, anyOrder, nil, commerce.Skipped, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
			c.order(s)
			n := notice(t, c.event)
			if c.invoice != nil {
				c.invoice(&n.Invoice)
			}
			for i, calls := range [][]string{c.calls, c.again} {
				s.calls = nil
				if r := s.outbound(t).Deliver(context.Background(), n); r.Status != c.want || r.Detail == "" {
					t.Errorf("delivery %d: got %+v, want %s", i, r, c.want)
				}
				if diff := cmp.Diff(calls, s.calls); diff != "" {
					t.Errorf("delivery %d: calls (-want +got):\n%s", i, diff)
				}
			}
			if s.tags[0] != "a person's" || len(s.tags) > 2 {
				t.Errorf("the tags are %q", s.tags)
			}
		})
	}
}

// TestLostAnswer: a change whose answer is lost is found when it is tried again, and not made twice.
func TestLostAnswer(t *testing.T) {
	for name, event := range map[string]events.Name{"markAsPaid": events.EventPaid, "cancel": events.EventCanceled} {
		s := newShop(t)
		s.lose = name
		first, second := s.outbound(t).Deliver(context.Background(), notice(t, event)), s.outbound(t).Deliver(context.Background(), notice(t, event))
		if first.Status != commerce.Again || second.Status != commerce.Delivered || len(s.calls) != 3 || s.calls[2] != "look" {
			t.Errorf("%s: got %+v, then %+v, with %q", name, first, second, s.calls)
		}
	}
}

// TestUserErrors: what the shop refuses with status 200 is refused, unless the order is there meanwhile.
func TestUserErrors(t *testing.T) {
	s := newShop(t)
	s.refuse = "Order cannot be marked as paid."
	if r := s.outbound(t).Deliver(context.Background(), notice(t, events.EventPaid)); r.Status != commerce.Refused || !strings.Contains(r.Detail, s.refuse) {
		t.Errorf("got %+v", r)
	}
	s = newShop(t)
	s.refuse = "no"
	o, err := shopify.NewOutbound(shopify.OutboundConfig{URL: s.URL, APIVersion: "2026-10", Token: token, HTTP: doer(func(r *http.Request) (*http.Response, error) {
		if len(s.calls) == 2 { // after the refusal
			s.status = "PAID"
		}
		return http.DefaultClient.Do(r)
	})})
	if err != nil {
		t.Fatal(err)
	}
	if r := o.Deliver(context.Background(), notice(t, events.EventPaid)); r.Status != commerce.Delivered || len(s.calls) != 3 {
		t.Errorf("got %+v after %q", r, s.calls)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestFailures gives what becomes of a delivery that the shop does not answer as it should.
func TestFailures(t *testing.T) {
	answer := func(code int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	failed := func(code, message string) string {
		return fmt.Sprintf(`{"errors":[{"message":%q,"extensions":{"code":%q}}],"extensions":{"cost":{"requestedQueryCost":112,"actualQueryCost":null,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":12.0,"restoreRate":40.0}}}}`, message, code)
	}
	for name, c := range map[string]struct {
		then   http.HandlerFunc
		want   commerce.Status
		after  time.Duration
		detail string
	}{
		"throttled":              {answer(200, failed("THROTTLED", "Throttled")), commerce.Again, 3 * time.Second, "Throttled"},
		"throttled without cost": {answer(200, `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}`), commerce.Again, time.Second, "Throttled"},
		"too many requests":      {answer(429, "", "Retry-After", "2"), commerce.Again, 2 * time.Second, "429"},
		"internal error":         {answer(200, failed("INTERNAL_SERVER_ERROR", "Internal error")), commerce.Again, 0, "Internal error"},
		"bad gateway":            {answer(502, "<html>canary</html>"), commerce.Again, 0, "502"},
		"a page with 200":        {answer(200, "<html>canary</html>", "Content-Type", "text/html"), commerce.Again, 0, "expected JSON"},
		"no data":                {answer(200, `{"data":null}`), commerce.Again, 0, "data"},
		"nothing":                {answer(200, `{}`), commerce.Again, 0, "data"},
		"no access":              {answer(200, failed("ACCESS_DENIED", "Access denied for order field.")), commerce.Refused, 0, "write_orders"},
		"unknown field":          {answer(200, failed("undefinedField", "Field 'order' doesn't exist")), commerce.Refused, 0, "doesn't exist"},
		"wrong token":            {answer(401, `{"errors":"[API] Invalid API key or access token"}`), commerce.Refused, 0, "401"},
		"no such version":        {answer(404, `{"errors":"Not Found"}`), commerce.Refused, 0, "404"},
		"no such order":          {answer(200, `{"data":{"order":null}}`), commerce.Refused, 0, "no such order"},
		"redirect":               {answer(301, "", "Location", "https://elsewhere.example/"), commerce.Refused, 0, "redirect"},
		"cut off":                {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, commerce.Again, 0, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.broken = c.then
			r := s.outbound(t).Deliver(context.Background(), notice(t, events.EventPaid))
			if r.Status != c.want || r.After != c.after || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("got %+v, want %s after %s with %q", r, c.want, c.after, c.detail)
			}
			if strings.Contains(r.Detail, "canary") {
				t.Errorf("a secret or the answer's text came through: %s", r.Detail)
			}
		})
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for url, right := range map[string]bool{"": true, "https://fjell.example": true, "http://127.0.0.1:9/": true, "http://fjell.example": false, "https://a:canary@fjell.example": false} {
		_, err := shopify.NewOutbound(shopify.OutboundConfig{Domain: "fjell.myshopify.com", URL: url, APIVersion: "2026-10", Token: token})
		if right != (err == nil) || err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := shopify.NewOutbound(shopify.OutboundConfig{Domain: "fjell.myshopify.com"}); err == nil || !strings.Contains(err.Error(), "access_token_file") {
		t.Errorf("no token: %v", err)
	}
}

func TestInspect(t *testing.T) {
	s := newShop(t)
	const hooks = "https://pay.example/hooks/fjell/shopify"
	s.broken = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", "Fri, 20 Nov 2026 10:00:00 GMT")
		w.Header().Set("X-Shopify-API-Version", "2027-01")
		fmt.Fprintf(w, `{"data":{"shop":{"myshopifyDomain":"fjell.myshopify.com","currencyCode":"SEK"},
			"currentAppInstallation":{"accessScopes":[{"handle":"read_orders"},{"handle":"write_orders"}]},
			"webhookSubscriptions":{"nodes":[{"topic":"ORDERS_CREATE","uri":%q},{"topic":"REFUNDS_CREATE","uri":%q},{"topic":"ORDERS_UPDATED","uri":"https://old.example/"},{"topic":"SHOP_UPDATE","uri":%q}]}}}`, hooks, hooks, hooks)
	}
	got, r := s.outbound(t).Inspect(context.Background())
	want := shopify.Inspection{
		Domain: "fjell.myshopify.com", Currency: "SEK", Scopes: shopify.Scopes(), APIVersion: "2027-01", Time: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC),
		Subscriptions: []shopify.Subscription{{"orders/create", hooks}, {"refunds/create", hooks}, {"orders/updated", "https://old.example/"}, {"SHOP_UPDATE", hooks}},
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Status != commerce.Delivered {
		t.Errorf("got %+v (-want +got):\n%s", r, diff)
	}
	if diff := cmp.Diff([]string{"orders/updated", "orders/cancelled"}, got.Missing(hooks)); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	s.broken = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	if _, r := s.outbound(t).Inspect(context.Background()); r.Status != commerce.Refused || r.Code != http.StatusUnauthorized {
		t.Errorf("wrong token: got %+v", r)
	}
}
