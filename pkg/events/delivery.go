package events

import "time"

// DeliveryStatus is what became of one attempt to tell a destination about an event of an invoice.
type DeliveryStatus string

// The statuses of an attempt. A message of which an attempt was refused or given up is parked.
const (
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliverySkipped   DeliveryStatus = "skipped"
	DeliveryRefused   DeliveryStatus = "refused"
	DeliveryAgain     DeliveryStatus = "again"
	DeliveryGivenUp   DeliveryStatus = "given_up"
)

// DeliveryAttempt is the data of deliveries.<shop>.<destination>.<invoice>: one attempt to tell a destination of the shop about an
// event of an invoice.
type DeliveryAttempt struct {
	Shop        string         `json:"shop"`
	InvoiceID   string         `json:"invoiceId"`
	Destination string         `json:"destination" jsonschema:"description=woocommerce or shopify or the name of a webhook"`
	Event       Name           `json:"event" jsonschema:"description=The event of the invoice"`
	EventID     string         `json:"eventId,omitempty"`
	EventAt     time.Time      `json:"eventAt" jsonschema:"description=When the broker stored the event"`
	Sequence    uint64         `json:"sequence" jsonschema:"description=Of the event on INVOICES"`
	Attempt     int            `json:"attempt" jsonschema:"description=From 1; 0 when it was given up without one"`
	Status      DeliveryStatus `json:"status" jsonschema:"enum=delivered,enum=skipped,enum=refused,enum=again,enum=given_up"`
	Detail      string         `json:"detail,omitempty" jsonschema:"description=For people: what was done or what went wrong"`
	Code        int            `json:"code,omitempty" jsonschema:"description=HTTP status of the last answer"`
	At          time.Time      `json:"at"`
	Millis      int64          `json:"ms"`
	FirstAt     time.Time      `json:"firstAt" jsonschema:"description=When the first attempt was made"`
	NextAt      *time.Time     `json:"nextAt,omitempty" jsonschema:"description=With again: when the next attempt is due"`
	Resent      bool           `json:"resent,omitempty" jsonschema:"description=A person had it sent again"`
	Settled     uint64         `json:"settled" jsonschema:"description=Every event of the invoice up to this sequence on INVOICES has ended for this destination"`
}

// Key gives the invoice.
func (a DeliveryAttempt) Key() Key { return KeyOf(a.Shop, a.InvoiceID) }

// DeliverySubject gives where the attempts to tell a destination about an invoice are published.
func DeliverySubject(k Key, destination string) string {
	return "deliveries." + k.Shop + "." + fit(destination) + "." + k.Invoice
}

// DecodeDelivery reads an attempt out of an event of DELIVERIES.
func DecodeDelivery(body []byte) (DeliveryAttempt, error) {
	a, _, err := dataOf[DeliveryAttempt](body)
	return a, err
}
