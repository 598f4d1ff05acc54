package shopsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The operations of the REST API, for [Fault.On].
const (
	OpListOrders    = "GET orders"
	OpGetOrder      = "GET orders/{id}"
	OpUpdateOrder   = "PUT orders/{id}"
	OpCreateOrder   = "POST orders"
	OpListNotes     = "GET orders/{id}/notes"
	OpCreateNote    = "POST orders/{id}/notes"
	OpListRefunds   = "GET orders/{id}/refunds"
	OpCreateRefund  = "POST orders/{id}/refunds"
	OpListWebhooks  = "GET webhooks"
	OpCreateWebhook = "POST webhooks"
	OpUpdateWebhook = "PUT webhooks/{id}"
	OpListMethods   = "GET payment_gateways"
)

var wooRoutes = map[string]func(*Woo, wooCall) (any, error){
	OpListOrders: (*Woo).restList, OpGetOrder: (*Woo).restGet, OpUpdateOrder: (*Woo).restUpdate, OpCreateOrder: (*Woo).restCreate,
	OpListNotes: (*Woo).restNotes, OpCreateNote: (*Woo).restNote, OpListRefunds: (*Woo).restRefunds, OpCreateRefund: (*Woo).restRefund,
	OpListWebhooks: (*Woo).restWebhooks, OpCreateWebhook: (*Woo).restCreateWebhook, OpUpdateWebhook: (*Woo).restUpdateWebhook,
	OpListMethods: (*Woo).restMethods,
}

var (
	wooPath     = regexp.MustCompile(`^/wp-json/wc/v3/(orders|webhooks|payment_gateways)(?:/([0-9]{1,18})(/notes|/refunds)?)?/?$`)
	wooStatuses = []string{"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft", wooTrash}
	plainAmount = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,3})?$`)
)

// wooCall is one request of the REST API.
type wooCall struct {
	id     int64
	query  url.Values
	body   wooBody
	header http.Header // of the answer
}

// wooBody has the fields of all requests.
type wooBody struct {
	Status        string    `json:"status"`
	SetPaid       bool      `json:"set_paid"`
	TransactionID string    `json:"transaction_id"`
	PaymentMethod string    `json:"payment_method"`
	LineItems     []WooLine `json:"line_items"`
	Note          string    `json:"note"`
	Amount        string    `json:"amount"`
	Reason        string    `json:"reason"`
	Topic         string    `json:"topic"`
	DeliveryURL   string    `json:"delivery_url"`
	Secret        string    `json:"secret"`
}

// wooError is an error as the REST API answers it.
type wooError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Status int `json:"status"`
	} `json:"data"`
}

func (e *wooError) Error() string { return e.Message }

func refuse(status int, code, message string) error {
	e := &wooError{Code: code, Message: message}
	e.Data.Status = status
	return e
}

func badParam(name, message string) error {
	return refuse(http.StatusBadRequest, "rest_invalid_param", "Invalid parameter(s): "+name+": "+message)
}

// ServeHTTP serves the REST API.
func (w *Woo) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	call := wooCall{query: r.URL.Query(), header: rw.Header()}
	var operation string
	if m := wooPath.FindStringSubmatch(r.URL.Path); m != nil {
		operation = r.Method + " " + m[1]
		if m[2] != "" {
			call.id, _ = strconv.ParseInt(m[2], 10, 64)
			operation += "/{id}" + m[3]
		}
	}
	w.serve(operation, rw, r, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", w.cfg.Now().UTC().Format(http.TimeFormat))
		rw.Header().Set("Content-Type", "application/json; charset=UTF-8")
		answer, err := w.rest(operation, call, r)
		status := http.StatusOK
		if refusal := (*wooError)(nil); errors.As(err, &refusal) {
			answer, status = refusal, refusal.Data.Status
		} else if r.Method == http.MethodPost {
			status = http.StatusCreated
		}
		rw.WriteHeader(status)
		_, _ = rw.Write(wooJSON(answer))
	})
}

func (w *Woo) rest(operation string, call wooCall, r *http.Request) (any, error) {
	handle := wooRoutes[operation]
	key, secret, given := r.BasicAuth()
	switch {
	case handle == nil:
		return nil, refuse(http.StatusNotFound, "rest_no_route", "No route was found matching the URL and request method.")
	case !given:
		return nil, refuse(http.StatusUnauthorized, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
	case key != w.cfg.ConsumerKey:
		return nil, refuse(http.StatusUnauthorized, "woocommerce_rest_authentication_error", "Consumer key is invalid.")
	case secret != w.cfg.ConsumerSecret:
		return nil, refuse(http.StatusUnauthorized, "woocommerce_rest_authentication_error", "Consumer secret is invalid.")
	}
	if r.ContentLength != 0 {
		err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&call.body)
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			return nil, badParam(wrong.Field, "is not of type "+wrong.Type.String())
		}
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "rest_invalid_json", "Invalid JSON body passed.")
		}
	}
	return handle(w, call)
}

// restList lists orders that the query asks for, the newest first unless it says otherwise.
func (w *Woo) restList(c wooCall) (any, error) {
	keep, err := filter(c.query)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(w.all(), func(o WooOrder) bool { return !keep(o) })
	by := func(o WooOrder) string { return o.DateCreatedGMT }
	if c.query.Get("orderby") == "modified" {
		by = func(o WooOrder) string { return o.DateModifiedGMT }
	}
	slices.SortFunc(found, func(a, b WooOrder) int { return cmp.Or(cmp.Compare(by(a), by(b)), cmp.Compare(a.ID, b.ID)) })
	if c.query.Get("order") != "asc" {
		slices.Reverse(found)
	}
	return paged(c, found)
}

// paged gives the page of a list that the query asks for.
func paged[T any](c wooCall, found []T) ([]T, error) {
	page, err1 := number(c.query, "page", 1, 1<<30)
	perPage, err2 := number(c.query, "per_page", 10, 100)
	if err := cmp.Or(err1, err2); err != nil {
		return nil, err
	}
	c.header.Set("X-WP-Total", strconv.Itoa(len(found)))
	c.header.Set("X-WP-TotalPages", strconv.Itoa((len(found)+perPage-1)/perPage))
	from := min((page-1)*perPage, len(found))
	return append([]T{}, found[from:min(from+perPage, len(found))]...), nil
}

func number(query url.Values, name string, otherwise, most int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, badParam(name, fmt.Sprintf("must be between 1 (inclusive) and %d (inclusive)", most))
	}
	return n, nil
}

// filter gives the condition of a list.
func filter(query url.Values) (func(WooOrder) bool, error) {
	statuses := strings.FieldsFunc(strings.Join(append([]string{query.Get("status")}, query["status[]"]...), ","), func(r rune) bool { return r == ',' })
	for _, s := range statuses {
		if s != "any" && !slices.Contains(wooStatuses, s) {
			return nil, badParam("status", s+" is not a status")
		}
	}
	after := strings.TrimSuffix(query.Get("modified_after"), "Z")
	if _, err := time.Parse(wooTime, after); err != nil && after != "" {
		return nil, badParam("modified_after", "invalid date")
	}
	gmt, _ := strconv.ParseBool(query.Get("dates_are_gmt"))
	return func(o WooOrder) bool {
		modified := o.DateModified
		if gmt {
			modified = o.DateModifiedGMT
		}
		anyStatus := len(statuses) == 0 || slices.Contains(statuses, "any")
		return modified > after && (anyStatus && o.Status != wooTrash || slices.Contains(statuses, o.Status))
	}, nil
}

func (w *Woo) restGet(c wooCall) (any, error) {
	o, err := w.Order(c.id)
	if err != nil {
		return nil, refuse(http.StatusNotFound, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
	}
	return o, nil
}

// restUpdate saves an order, with or without a change.
func (w *Woo) restUpdate(c wooCall) (any, error) {
	if c.body.Status != "" && !slices.Contains(wooStatuses, c.body.Status) {
		return nil, badParam("status", "is not a status")
	}
	var after WooOrder
	err := w.update(c.id, func(o *WooOrder) {
		if id := c.body.TransactionID; id != "" && id != o.TransactionID {
			o.TransactionID = id
			w.effect(o.ID, EffectTransaction, id, byAPI)
		}
		if c.body.SetPaid && o.DatePaid != nil {
			w.effect(o.ID, EffectPaidAgain, c.body.TransactionID, byAPI)
		}
		w.setStatus(o, cmp.Or(c.body.Status, o.Status), byAPI)
		if c.body.SetPaid && o.NeedsPayment {
			w.setStatus(o, "processing", byAPI)
		}
		after = o.clone()
	})
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
	}
	return after, nil
}

// restCreate makes an order of line items that have a name and a total without tax.
func (w *Woo) restCreate(c wooCall) (any, error) {
	cart := Cart{PaymentMethod: c.body.PaymentMethod}
	for _, l := range c.body.LineItems {
		if !plainAmount.MatchString(l.Total) {
			return nil, badParam("line_items", "total is not an amount")
		}
		cart.Items = append(cart.Items, Item{Name: l.Name, Price: l.Total})
	}
	return w.place(cart, byAPI), nil
}

// restMethods lists the payment methods: that of SEQR, and one that the shop does not use.
func (w *Woo) restMethods(wooCall) (any, error) {
	return []map[string]any{
		{"id": w.cfg.PaymentMethod, "title": "SEQR", "description": "", "order": 0, "enabled": true},
		{"id": "cheque", "title": "Check payments", "description": "", "order": 1, "enabled": false},
	}, nil
}

var errNoOrder = refuse(http.StatusNotFound, "woocommerce_rest_order_invalid_id", "Invalid order ID.")

func (w *Woo) restNotes(c wooCall) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.find(c.id) == nil {
		return nil, errNoOrder
	}
	notes := append([]WooNote{}, w.notes[c.id]...)
	slices.Reverse(notes)
	return notes, nil
}

func (w *Woo) restNote(c wooCall) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.find(c.id) == nil {
		return nil, errNoOrder
	}
	if c.body.Note == "" {
		return nil, refuse(http.StatusBadRequest, "rest_missing_callback_param", "Missing parameter(s): note")
	}
	n := WooNote{ID: w.nextID(), Author: "WooCommerce", Note: c.body.Note}
	n.DateCreated, _ = w.dates()
	w.notes[c.id] = append(w.notes[c.id], n)
	w.effect(c.id, EffectNote, n.Note, byAPI)
	return n, nil
}

func (w *Woo) restRefunds(c wooCall) (any, error) {
	o, err := w.Order(c.id)
	if err != nil {
		return nil, errNoOrder
	}
	return o.Refunds, nil
}

func (w *Woo) restRefund(c wooCall) (any, error) {
	if !plainAmount.MatchString(c.body.Amount) {
		return nil, refuse(http.StatusBadRequest, "woocommerce_rest_invalid_order_refund", "Invalid refund amount.")
	}
	var id int64
	var wrong error
	if w.update(c.id, func(o *WooOrder) { id, wrong = w.refund(o, c.body.Amount, c.body.Reason, byAPI) }) != nil {
		return nil, errNoOrder
	}
	if wrong != nil {
		return nil, refuse(http.StatusBadRequest, "woocommerce_rest_cannot_create_order_refund", "Invalid refund amount.")
	}
	return map[string]any{"id": id, "amount": c.body.Amount, "reason": c.body.Reason}, nil
}
