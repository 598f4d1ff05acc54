package webhook

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// envelope has what is read of a CloudEvent in structured JSON.
type envelope struct {
	SpecVersion     commerce.Text   `json:"specversion"`
	ID              commerce.Text   `json:"id"`
	Source          commerce.Text   `json:"source"`
	Type            commerce.Text   `json:"type"`
	DataContentType commerce.Text   `json:"datacontenttype"`
	Base64          json.RawMessage `json:"data_base64" known:"-"`
	Data            *data           `json:"data"`
}

// data has the fields of all order events.
type data struct {
	OrderID      commerce.Text `json:"orderId"`
	InvoiceID    commerce.Text `json:"invoiceId"`
	Shop         commerce.Text `json:"shop"`
	Currency     commerce.Text `json:"currency"`
	Total        commerce.Text `json:"total"`
	Rows         []row         `json:"rows"`
	Title        commerce.Text `json:"title"`
	BackURL      commerce.Text `json:"backUrl"`
	CashierID    commerce.Text `json:"cashierId"`
	ValidFor     commerce.Text `json:"validFor"`
	BuyerKeyHash commerce.Text `json:"buyerKeyHash"`
	RefundID     commerce.Text `json:"refundId"`
	Amount       commerce.Text `json:"amount"`
	Reason       commerce.Text `json:"reason"`
	KeepPaid     commerce.Text `json:"keepPaid"`
}

type row struct {
	Description commerce.Text `json:"description"`
	Quantity    commerce.Text `json:"quantity"`
	UnitPrice   commerce.Text `json:"unitPrice"`
	Total       commerce.Text `json:"total"`
	TaxRate     commerce.Text `json:"taxRate"`
	SKU         commerce.Text `json:"sku"`
	EAN         commerce.Text `json:"ean"`
	Unit        commerce.Text `json:"unit"`
	Discount    commerce.Text `json:"discount"`
}

// nameOf gives the order event that a CloudEvents type stands for; field is where the type was read.
func nameOf(field, eventType string) (events.OrderName, error) {
	for _, name := range []events.OrderName{events.Placed, events.OrderCanceled, events.Returned} {
		if eventType == events.TypeOf("order."+string(name)) {
			return name, nil
		}
	}
	return "", &commerce.Refusal{Field: field, Expected: "expected seqrflow.order.placed.v1, seqrflow.order.canceled.v1 or seqrflow.order.returned.v1, got " +
		commerce.Text(eventType).Shown()}
}

// readStructured reads an event in structured JSON; the error is a *commerce.Refusal.
func readStructured(shop string, body []byte) (commerce.Event, error) {
	var attributes map[string]json.RawMessage
	if err := json.Unmarshal(body, &attributes); err != nil || attributes == nil {
		return commerce.Event{}, &commerce.Refusal{Field: "body", Expected: "expected a CloudEvent in a JSON object"}
	}
	texts := map[string]string{}
	for _, name := range []string{"specversion", "id", "source", "type"} {
		var s string
		if err := json.Unmarshal(attributes[name], &s); err != nil || s == "" {
			return commerce.Event{}, &commerce.Refusal{Field: name, Expected: "expected a string that is not empty"}
		}
		texts[name] = s
	}
	if attributes["data_base64"] != nil {
		return commerce.Event{}, &commerce.Refusal{Field: "data_base64", Expected: "expected the order as a JSON object in data"}
	}
	if v := attributes["datacontenttype"]; v != nil {
		var s string
		media := ""
		if json.Unmarshal(v, &s) == nil {
			media, _, _ = mime.ParseMediaType(s)
		}
		if !isJSON(media) {
			return commerce.Event{}, &commerce.Refusal{Field: "datacontenttype", Expected: "expected application/json, got " + commerce.Text(v).Shown()}
		}
	}
	name, err := nameOf("type", texts["type"])
	if err != nil {
		return commerce.Event{}, err
	}
	e, err := readOrder(shop, name, attributes["data"], "data.", events.Message{Body: body})
	e.ID = eventID(texts["source"], texts["id"])
	return e, err
}

// eventID names an event: CloudEvents has it that two events of one source never have the same id.
func eventID(source, id string) string {
	if source == "" || id == "" {
		return ""
	}
	return source + "\n" + id
}

// readBinary reads an event whose attributes are in headers; the error is a *commerce.Refusal.
func readBinary(shop string, h http.Header, body []byte) (commerce.Event, error) {
	eventType, err := url.PathUnescape(h.Get("ce-type"))
	if err != nil {
		eventType = h.Get("ce-type")
	}
	name, err := nameOf("header ce-type", eventType)
	if err != nil {
		return commerce.Event{}, err
	}
	header := map[string][]string{"ce-specversion": {h.Get("ce-specversion")}, "ce-type": {eventType}}
	e, err := readOrder(shop, name, body, "", events.Message{Header: header, Body: body})
	e.ID = eventID(h.Get("ce-source"), h.Get("ce-id"))
	return e, err
}

// readOrder reads the order event of a message as the workers do. The data, at the path of prefix, must name the shop that the
// request came for: the sender's secret is that shop's.
func readOrder(shop string, name events.OrderName, order json.RawMessage, prefix string, m events.Message) (commerce.Event, error) {
	var ids struct {
		OrderID commerce.Text `json:"orderId"`
		Shop    commerce.Text `json:"shop"`
	}
	_ = json.Unmarshal(order, &ids) // what is wrong with it is found below
	orderID := commerce.Clip(string(ids.OrderID), events.MaxID)
	if strings.HasPrefix(orderID, "{") || strings.HasPrefix(orderID, "[") {
		orderID = "" // not an id, but anything
	}
	if ids.Shop != "" && string(ids.Shop) != shop {
		return commerce.Event{}, &commerce.Refusal{Order: orderID, Field: prefix + "shop", Expected: fmt.Sprintf("expected %q, the shop of this address, got %s", shop, ids.Shop.Shown())}
	}
	m.Subject = events.OrderSubject(shop, string(ids.OrderID), name)
	event, err := commerce.Decode(name, m)
	if err != nil {
		return commerce.Event{}, commerce.RefusalOf(orderID, err, func(path string) string { return path })
	}
	if err := event.Check(shop, func(path string) string { return prefix + path }); err != nil {
		return commerce.Event{}, err // written anew it may be longer than an event may be
	}
	return event, nil
}
