package events

import (
	"cmp"
	"encoding/json"
	"time"
)

// Hook is the data of hooks.<shop>.<order>.<system>: a request of a shop's system that the gateway could not translate.
type Hook struct {
	Shop     string            `json:"shop" jsonschema:"description=The shop's id"`
	System   string            `json:"system" jsonschema:"description=woocommerce or shopify or events"`
	Order    string            `json:"order,omitempty" jsonschema:"description=The shop's id of the order as far as it could be read"`
	Reason   string            `json:"reason" jsonschema:"description=The field and what was expected"`
	Received time.Time         `json:"received"`
	Header   map[string]string `json:"header,omitempty" jsonschema:"description=The headers that say what the request is about"`
	Body     json.RawMessage   `json:"body,omitempty" jsonschema:"description=The request's body without what seqrflow does not read: no personal data of a buyer is kept"`
	Bytes    int               `json:"bytes" jsonschema:"description=Size of the body as received"`
	SHA256   string            `json:"sha256" jsonschema:"description=Of the body as received"`
}

// HookEvent is the name of the event that has a Hook.
const HookEvent = "hook.refused"

// HookSubject is where a request of a shop's system that could not be translated is kept.
func HookSubject(shop, order, system string) string {
	return "hooks." + Token(shop) + "." + Token(cmp.Or(order, "unknown")) + "." + Token(system)
}
