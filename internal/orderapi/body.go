package orderapi

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// completed gives the body with the ids of the path where it has none: the shop's, and the order's unless that is "". Ids that it has
// stay, to be checked with the rest.
func completed(body []byte, shop, order string) ([]byte, error) {
	rest, isObject := bytes.CutPrefix(bytes.TrimSpace(body), []byte("{"))
	if len(bytes.TrimSpace(body)) == 0 && order != "" {
		rest, isObject = []byte("}"), true
	}
	var fields map[string]json.RawMessage
	whole := append([]byte("{"), rest...)
	if !isObject {
		return nil, huma.Error400BadRequest(notJSON)
	} else if err := json.Unmarshal(whole, &fields); err != nil {
		return nil, huma.Error400BadRequest(notJSON + ": " + err.Error())
	}
	if _, given := fields["specversion"]; given {
		return nil, huma.Error422UnprocessableEntity(notAsExpected, &huma.ErrorDetail{Location: "body.specversion", Message: "expected the bare data; CloudEvents go to /hooks/"})
	}
	for name, id := range map[string]string{"shop": shop, "orderId": order} {
		if _, given := fields[name]; given || id == "" {
			continue
		}
		text, err := events.Encode(id)
		if err != nil {
			return nil, err
		}
		comma := ","
		if len(fields) == 0 {
			comma = ""
		}
		fields[name] = text
		rest = slices.Concat([]byte(`"`+name+`":`), text, []byte(comma), rest)
	}
	return append([]byte("{"), rest...), nil
}

// notJSON is the error of a body that has no fields.
const notJSON = "expected a JSON object"

// idOf reads the order's id out of a body, to find its subject by; what is wrong with it is said when the whole is read.
func idOf(body []byte) string {
	var b struct {
		ID json.RawMessage `json:"orderId"`
	}
	if json.Unmarshal(body, &b) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(b.ID, &text) == nil {
		return text
	}
	return string(b.ID)
}

// message gives an order event as the workers will read it.
func message(shop, order string, e events.OrderName, body []byte) events.Message {
	return events.Message{Subject: events.OrderSubject(shop, order, e), Body: body}
}
