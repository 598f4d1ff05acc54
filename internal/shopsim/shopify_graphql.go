package shopsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// gqlCall is one operation of a GraphQL request.
type gqlCall struct {
	text  string // the query
	order int64  // the first order that the variables or the query name
	vars  map[string]any
}

// gqlFields are the operations by their names, which are also those for [Fault.On].
var gqlFields = map[string]func(*Shopify, gqlCall) (any, error){
	"order": (*Shopify).gqlOrder, "orderMarkAsPaid": (*Shopify).gqlMarkAsPaid, "orderCancel": (*Shopify).gqlCancel, "orderUpdate": (*Shopify).gqlUpdate,
	"tagsAdd": (*Shopify).gqlTagsAdd, "webhookSubscriptions": (*Shopify).gqlSubscriptions, "webhookSubscriptionCreate": (*Shopify).gqlSubscribe,
	"shop": (*Shopify).gqlShop, "currentAppInstallation": (*Shopify).gqlInstallation,
}

var (
	gqlPath  = regexp.MustCompile(`^/admin/api/([0-9]{4}-(?:01|04|07|10))/graphql\.json$`)
	gqlOrder = regexp.MustCompile(`gid://shopify/Order/([0-9]{1,19})`)
	gqlName  = regexp.MustCompile(`^(?:(\w+)\s*:\s*)?(\w+)`)
)

// ServeHTTP serves the Admin GraphQL API, and gives an app its access tokens.
func (s *Shopify) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Path == "/admin/oauth/access_token" {
		r.Body = http.MaxBytesReader(w, r.Body, 4096)
		s.serve(OpToken, w, r, s.giveToken)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	var request struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	wrong := json.Unmarshal(body, &request)
	fields := rootFields(request.Query)
	operation := ""
	if len(fields) > 0 {
		operation = fields[0][1]
	}
	s.serve(operation, w, r, func(w http.ResponseWriter, r *http.Request) {
		status, answer := http.StatusOK, map[string]any{}
		switch {
		case !gqlPath.MatchString(r.URL.Path) || r.Method != http.MethodPost:
			status, answer["errors"] = http.StatusNotFound, "Not Found"
		case !s.takes(r.Header.Get("X-Shopify-Access-Token")):
			status, answer["errors"] = http.StatusUnauthorized, "[API] Invalid API key or access token (unrecognized login or wrong password)"
		case wrong != nil || len(fields) == 0:
			status, answer["errors"] = http.StatusBadRequest, map[string]any{"query": "Required parameter missing or invalid"}
		default:
			w.Header().Set("X-Shopify-API-Version", gqlPath.FindStringSubmatch(r.URL.Path)[1])
			answer = s.answer(fields, gqlCall{request.Query, orderIn(request.Variables, request.Query), request.Variables})
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	})
}

func (s *Shopify) answer(fields [][2]string, call gqlCall) map[string]any {
	data := map[string]any{}
	for _, field := range fields {
		var err error
		if do := gqlFields[field[1]]; do == nil {
			err = fmt.Errorf("Field '%s' doesn't exist", field[1]) //nolint:staticcheck // the API's words
		} else {
			data[cmp.Or(field[0], field[1])], err = do(s, call)
		}
		if err != nil {
			return map[string]any{"errors": []any{map[string]any{"message": err.Error(), "path": []string{field[1]}}}}
		}
	}
	return map[string]any{"data": data, "extensions": map[string]any{"cost": map[string]any{
		"requestedQueryCost": 10, "actualQueryCost": 10, "throttleStatus": map[string]any{"maximumAvailable": 2000, "currentlyAvailable": 1990, "restoreRate": 100},
	}}}
}

// rootFields gives alias and name of each operation of a query.
func rootFields(query string) (fields [][2]string) {
	depth, arguments, fresh := 0, 0, true
	for i, c := range query {
		switch {
		case c == '(':
			arguments++
		case c == ')':
			arguments--
		case arguments > 0:
		case c == '{':
			depth++
			fresh = true
		case c == '}':
			if depth--; depth == 0 {
				return fields // what follows are fragments
			}
			fresh = true
		case strings.ContainsRune(" \t\r\n,", c):
			fresh = true
		case depth == 1 && fresh:
			m := gqlName.FindStringSubmatch(query[i:])
			if m == nil {
				return nil
			}
			if len(fields) == 0 || !strings.HasSuffix(strings.TrimSpace(query[:i]), ":") {
				fields = append(fields, [2]string{m[1], m[2]})
			}
			fresh = false
		}
	}
	return fields
}

func orderIn(variables map[string]any, query string) int64 {
	text, _ := json.Marshal(variables)
	if m := gqlOrder.FindStringSubmatch(string(text) + query); m != nil {
		id, _ := strconv.ParseInt(m[1], 10, 64)
		return id
	}
	return 0
}

// value gives a variable, or a field of the variable input.
func (c gqlCall) value(name string) any {
	if v, ok := c.vars[name]; ok {
		return v
	}
	input, _ := c.vars["input"].(map[string]any)
	return input[name]
}

func (c gqlCall) variable(name string) string {
	v, _ := c.value(name).(string)
	return v
}

// tags gives the variable tags, which is a list or a text with commas.
func (c gqlCall) tags() (out []string) {
	switch v := c.value("tags").(type) {
	case string:
		out = strings.Split(v, ",")
	case []any:
		for _, one := range v {
			out = append(out, fmt.Sprint(one))
		}
	}
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

func (s *Shopify) gqlOrder(c gqlCall) (any, error) {
	o, err := s.Order(c.order)
	if err != nil {
		return nil, nil //nolint:nilerr // null is the API's answer
	}
	return o.view(), nil
}

// view is an order as the API has it: all that is known, whatever was asked.
func (o ShopifyOrder) view() map[string]any {
	money := func(amount string) map[string]any {
		m := map[string]any{"amount": amount, "currencyCode": o.Currency}
		return map[string]any{"shopMoney": m, "presentmentMoney": m}
	}
	var reason any
	if o.CancelReason != nil {
		reason = strings.ToUpper(*o.CancelReason)
	}
	return map[string]any{
		"id": o.GraphQLID, "legacyResourceId": fmt.Sprint(o.ID), "name": o.Name, "note": o.Note, "tags": o.tags(), "test": o.Test,
		"displayFinancialStatus": strings.ToUpper(o.FinancialStatus), "cancelledAt": o.CancelledAt, "cancelReason": reason, "canMarkAsPaid": o.canMarkAsPaid(),
		"fullyPaid": num(o.TotalOutstanding).IsZero(), "unpaid": !num(o.TotalOutstanding).IsZero(), "paymentGatewayNames": o.PaymentGatewayNames,
		"currencyCode": o.Currency, "createdAt": o.CreatedAt, "updatedAt": o.UpdatedAt, "totalPriceSet": money(o.TotalPrice),
		"currentTotalPriceSet": money(o.CurrentTotalPrice), "totalOutstandingSet": money(o.TotalOutstanding), "totalRefundedSet": money(o.refunded.String()),
	}
}

func (o ShopifyOrder) tags() []string {
	if o.Tags == "" {
		return []string{}
	}
	return strings.Split(o.Tags, ", ")
}

func (o ShopifyOrder) canMarkAsPaid() bool {
	return o.CancelledAt == nil && num(o.TotalOutstanding).IsPos() && slices.Contains([]string{"pending", "authorized", "partially_paid"}, o.FinancialStatus)
}

// change makes a change by the API. What the shop refuses is a userError, with 200.
func (s *Shopify) change(c gqlCall, field string, change func(*ShopifyOrder) (topic string, err error)) map[string]any {
	err := s.update(c.order, change)
	answer := map[string]any{"order": nil, "userErrors": []any{}}
	if errors.Is(err, ErrNoOrder) {
		err = errors.New("Order does not exist")
	}
	if err != nil {
		answer["userErrors"] = []any{map[string]any{"field": []string{field}, "message": err.Error(), "code": "INVALID"}}
	}
	if o, missing := s.Order(c.order); missing == nil {
		answer["order"] = o.view()
	}
	return answer
}

func (s *Shopify) gqlMarkAsPaid(c gqlCall) (any, error) {
	return s.change(c, "id", func(o *ShopifyOrder) (string, error) { return s.markPaid(o, byAPI) }), nil
}

// gqlCancel cancels at once, though the job that it names is not done.
func (s *Shopify) gqlCancel(c gqlCall) (any, error) {
	for _, argument := range []string{"reason", "restock"} {
		if !strings.Contains(c.text, argument+":") {
			return nil, fmt.Errorf("Field 'orderCancel' is missing required arguments: %s", argument) //nolint:staticcheck // the API's words
		}
	}
	reason := strings.ToLower(cmp.Or(c.variable("reason"), "other"))
	answer := s.change(c, "orderId", func(o *ShopifyOrder) (string, error) { return s.cancelOrder(o, reason, byAPI) })
	answer["orderCancelUserErrors"] = answer["userErrors"]
	delete(answer, "order")
	answer["job"] = map[string]any{"id": fmt.Sprintf("gid://shopify/Job/%d", c.order), "done": false}
	return answer, nil
}

func (s *Shopify) gqlUpdate(c gqlCall) (any, error) {
	return s.change(c, "id", func(o *ShopifyOrder) (string, error) {
		if note := c.variable("note"); note != "" && note != o.Note {
			o.Note = note
			s.effect(o.ID, EffectNote, note, byAPI)
		}
		if tags := c.tags(); tags != nil {
			o.Tags = strings.Join(tags, ", ")
			s.effect(o.ID, EffectTags, o.Tags, byAPI)
		}
		return "", nil
	}), nil
}

// gqlTagsAdd adds the tags that the order has not.
func (s *Shopify) gqlTagsAdd(c gqlCall) (any, error) {
	answer := s.change(c, "id", func(o *ShopifyOrder) (string, error) {
		for _, tag := range c.tags() {
			if !slices.Contains(o.tags(), tag) {
				o.Tags = strings.Join(append(o.tags(), tag), ", ")
				s.effect(o.ID, EffectTags, tag, byAPI)
			}
		}
		return "", nil
	})
	answer["node"] = answer["order"]
	return answer, nil
}

func (s *Shopify) gqlSubscriptions(gqlCall) (any, error) {
	nodes, edges := []any{}, []any{}
	for _, sub := range s.Subscriptions() {
		nodes = append(nodes, sub.view())
		edges = append(edges, map[string]any{"node": sub.view()})
	}
	return map[string]any{"nodes": nodes, "edges": edges, "pageInfo": map[string]any{"hasNextPage": false}}, nil
}

// view is a subscription as the API has it: its topic is ORDERS_CREATE for orders/create.
func (s Subscription) view() map[string]any {
	return map[string]any{
		"id": fmt.Sprintf("gid://shopify/WebhookSubscription/%d", s.ID), "topic": strings.ToUpper(strings.ReplaceAll(s.Topic, "/", "_")), "uri": s.URL,
		"endpoint": map[string]any{"__typename": "WebhookHttpEndpoint", "callbackUrl": s.URL},
	}
}

func (s *Shopify) gqlSubscribe(c gqlCall) (any, error) {
	input, _ := c.value("webhookSubscription").(map[string]any)
	url, _ := cmp.Or(input["uri"], input["callbackUrl"]).(string)
	group, action, ok := strings.Cut(strings.ToLower(c.variable("topic")), "_")
	if !ok || url == "" {
		return nil, errors.New("topic and webhookSubscription.uri have to be variables")
	}
	sub := s.Subscribe(group+"/"+action, url)
	return map[string]any{"webhookSubscription": sub.view(), "userErrors": []any{}}, nil
}

func (s *Shopify) gqlShop(gqlCall) (any, error) {
	return map[string]any{"id": "gid://shopify/Shop/1", "name": "Demo shop", "myshopifyDomain": s.cfg.Domain, "currencyCode": s.cfg.Currency}, nil
}

func (s *Shopify) gqlInstallation(gqlCall) (any, error) {
	scopes := []any{map[string]any{"handle": "read_orders"}, map[string]any{"handle": "write_orders"}}
	return map[string]any{"id": "gid://shopify/AppInstallation/1", "accessScopes": scopes}, nil
}
