// Package commerce is what the shops' own systems have in common: how a webhook of theirs becomes order events, and how an
// event of an invoice reaches their order.
//
// Each system has a folder. Its inbound half (Inbound) is pure: the bytes of a request in, order events or a named refusal out.
// Its outbound half (Outbound) makes the calls that bring the shop's order up to date; making them again does no harm.
//
// No personal data of a buyer is taken over: rows, amounts and ids only.
package commerce

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrSignature says that a request is not signed with any of the connection's secrets. The error that wraps it says what was
// missing or different, and never has the secret or the right signature.
var ErrSignature = errors.New("wrong signature")

// ErrContentType says that a request's body is of a type that its system does not send: HTTP status 415. The error that wraps it
// names the types that were expected.
var ErrContentType = errors.New("unknown content type")

// Request is one HTTP request of a shop's system.
type Request struct {
	Shop   string // the shop's id, as in the connections file
	Header http.Header
	Body   []byte // as received, before any decoding: signatures are over it
	At     time.Time
}

// Inbound takes what one shop's system sends. It is safe for concurrent use.
type Inbound interface {
	// Verify gives an error that wraps ErrSignature unless the request is signed with one of the connection's secrets. It
	// compares in constant time.
	Verify(Request) error
	// Translate gives the order events that a request asks for. A *Refusal says that the request can't be translated: it is
	// parked with the refusal as the reason. An error that wraps ErrContentType says that the request is none of this system's.
	Translate(Request) (Translation, error)
	// Known gives what Translate reads of a body, without the buyer's secret of the order: it is kept when the request can't be
	// translated. The function of the same name makes it from the types of the payloads.
	Known(body []byte) json.RawMessage
}

// Translation is what one request of a shop's system means.
type Translation struct {
	Order  string  // the shop's id of the order; "" where the request is about none
	Events []Event // to publish, in this order
	Note   string  // where there are no events: why there is nothing to do

	// Refused are the parts of a batch that can't be translated. Each is parked alone; they don't stop the events of the others.
	Refused []RefusedPart
}

// RefusedPart is one part of a batch that can't be translated.
type RefusedPart struct {
	Body        []byte // the part as received; Known says what of it may be kept
	ContentType string // with which Translate reads the part alone; "" is the request's own
	Refusal     *Refusal
}

// Event is one order event that has to be published.
type Event struct {
	Name  events.OrderName
	Order string // the shop's id of the order
	Data  any    // events.Order, events.Cancellation or events.Return, as Name says
	// ID is what the sender calls the event in every repetition of it; "" where its system has no such name.
	ID string `json:",omitempty"`
}

// Placed gives the event that takes payment for the order.
func Placed(o events.Order) Event { return Event{Name: events.Placed, Order: o.OrderID, Data: o} }

// Canceled gives the event that cancels the order, or pays it back.
func Canceled(c events.Cancellation) Event {
	return Event{Name: events.OrderCanceled, Order: c.OrderID, Data: c}
}

// Returned gives the event that refunds all of the order or part of it.
func Returned(r events.Return) Event { return Event{Name: events.Returned, Order: r.OrderID, Data: r} }

// Ignored gives the translation of a request that asks for nothing; why is a short sentence for the log.
func Ignored(order, format string, args ...any) Translation {
	return Translation{Order: order, Note: fmt.Sprintf(format, args...)}
}

// Refusal is the error for a request that can't be translated. No repetition helps.
type Refusal struct {
	Order    string // the shop's id of the order, as far as it could be read
	Field    string // the path of the field, such as "line_items[2].total"
	Expected string // what was expected there, and what was found
}

// Error names the field and what was expected.
func (r *Refusal) Error() string {
	if r.Field == "" {
		return r.Expected
	}
	return r.Field + ": " + r.Expected
}

// BuyerKeyHash gives what an order event has of a secret that the shop's system has given to the buyer; "" for none.
func BuyerKeyHash(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
