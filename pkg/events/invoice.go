package events

import (
	"cmp"
	"slices"
	"time"
)

// Invoice is everything known of one invoice. Each event of INVOICES carries it as it is after the
// event, so the last event is the state.
type Invoice struct {
	Shop      string `json:"shop"`
	InvoiceID string `json:"invoiceId"`
	OrderID   string `json:"orderId"`
	State     State  `json:"state"`
	Currency  string `json:"currency,omitempty"`
	Total     Amount `json:"total,omitzero"`
	Order     *Order `json:"order,omitempty"`

	Terminal         string     `json:"terminal,omitempty" jsonschema:"description=The provider's terminal that issued the invoice"`
	InvoiceReference string     `json:"invoiceReference,omitempty" jsonschema:"description=The provider's name of the bill"`
	QRCode           string     `json:"qrCode,omitempty" jsonschema:"description=The text of the QR code to show to the buyer"`
	Link             string     `json:"link,omitempty" jsonschema:"description=Opens the buyer's app when the shop is on the same phone"`
	IssuedAt         *time.Time `json:"issuedAt,omitempty"`
	DueAt            *time.Time `json:"dueAt,omitempty" jsonschema:"description=When the order's validFor is over"`
	OverdueAt        *time.Time `json:"overdueAt,omitempty"`
	EndedAt          *time.Time `json:"endedAt,omitempty" jsonschema:"description=When it was canceled or failed or expired or rejected"`
	Reason           string     `json:"reason,omitempty" jsonschema:"description=Why it was canceled or failed or expired or rejected"`

	ErsReference string     `json:"ersReference,omitempty" jsonschema:"description=The provider's name of the payment"`
	PaidAt       *time.Time `json:"paidAt,omitempty"`
	Late         bool       `json:"late,omitempty" jsonschema:"description=Paid after it had been canceled or failed or expired; refunded in full"`
	Receipts     []Receipt  `json:"receipts,omitempty"`
	Refunds      []Refund   `json:"refunds,omitempty"`
	Refunded     Amount     `json:"refunded,omitzero" jsonschema:"description=Sum of the refunds that were done"`

	// ReservedForRefunds is the sum of the refunds that are under way or in doubt.
	ReservedForRefunds Amount `json:"held,omitzero" jsonschema:"description=Sum of the refunds under way or in doubt"`

	Change Change `json:"change"`

	Unknown UnknownFields `json:"-"`
}

// Change is what is particular to one event of an invoice: what happened, what recorded it and why.
type Change struct {
	Event    Name      `json:"event"`
	From     State     `json:"from"`
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Why      string    `json:"why"`
	RefundID string    `json:"refundId,omitempty"`
	Call     *Call     `json:"call,omitempty"`

	SecondsWithoutAnswer float64 `json:"secondsWithoutAnswer,omitempty" jsonschema:"description=The provider gave no answer about the invoice for so long before it was found canceled: a payment may have been made and reversed meanwhile. Only where that is so"`
}

// Call is the provider call that an event rests on.
type Call struct {
	Operation   string `json:"operation"`
	Outcome     string `json:"outcome" jsonschema:"enum=answered,enum=not sent,enum=maybe sent"`
	Code        *int   `json:"code,omitempty" jsonschema:"description=The provider's resultCode"`
	Description string `json:"description,omitempty"`
	Attempt     int    `json:"attempt,omitempty"`
	Millis      int64  `json:"ms"`
}

// Receipt is one receipt that the provider has accepted.
type Receipt struct {
	At       time.Time `json:"at"`
	MIMEType string    `json:"mimeType"`
	SHA256   string    `json:"sha256"`
	Bytes    int       `json:"bytes"`

	Unknown UnknownFields `json:"-"`
}

// RefundStatus says how far a refund has come.
type RefundStatus string

// A refund is sending from its intent until its outcome is known; waiting means that the last
// attempt is proved not to have happened, so another may be made.
const (
	RefundSending RefundStatus = "sending"
	RefundWaiting RefundStatus = "waiting"
	RefundDone    RefundStatus = "done"
	RefundFailed  RefundStatus = "failed"
	RefundUnknown RefundStatus = "unknown"
)

// Refund is one request to pay back, by the shop's refundId.
type Refund struct {
	RefundID     string       `json:"refundId"`
	Amount       Amount       `json:"amount"`
	All          bool         `json:"all,omitempty" jsonschema:"description=The shop asked for all that was left"`
	Contents     string       `json:"contents,omitempty" jsonschema:"description=Digest of all that the shop asked with; the same refundId with other contents is parked"`
	Status       RefundStatus `json:"status" jsonschema:"enum=sending,enum=waiting,enum=done,enum=failed,enum=unknown"`
	ErsReference string       `json:"ersReference,omitempty" jsonschema:"description=The provider's name of the refund"`
	Reason       string       `json:"reason,omitempty" jsonschema:"description=Why the shop asked for it"`
	Detail       string       `json:"detail,omitempty" jsonschema:"description=Why it failed or is in doubt or who settled it"`
	Attempts     int          `json:"attempts,omitempty"`
	InDoubt      bool         `json:"inDoubt,omitempty" jsonschema:"description=An earlier attempt may have been paid without our knowing"`
	Message      uint64       `json:"message,omitempty" jsonschema:"description=Sequence of the message whose handling made the last attempt; others with the same refundId leave its outcome to that one"`
	Stream       string       `json:"stream,omitempty" jsonschema:"description=The stream of that message"`
	AskedAt      time.Time    `json:"askedAt"`
	SettledAt    *time.Time   `json:"settledAt,omitempty"`
	SettledBy    string       `json:"settledBy,omitempty" jsonschema:"description=Who found out its outcome when it was not the refunder"`

	Unknown UnknownFields `json:"-"`
}

// Key of the invoice.
func (inv Invoice) Key() Key { return KeyOf(inv.Shop, inv.InvoiceID) }

// Can says whether the event may be recorded now.
func (inv Invoice) Can(e Name) bool { return len(RecordersOf(inv.State, e)) > 0 }

// nothingLeft says that all of the payment was paid back.
func (inv Invoice) nothingLeft() bool { return inv.Refunded.Cmp(inv.Total) >= 0 }

// Remaining is what may still be refunded: the paid total less what is refunded, under way or in doubt.
func (inv Invoice) Remaining() Amount {
	if !inv.State.Paid() {
		return Amount{}
	}
	return inv.Total.Sub(inv.Refunded).Sub(inv.ReservedForRefunds)
}

// Refund finds a refund by the shop's id.
func (inv Invoice) Refund(id string) (Refund, bool) {
	return first(inv.Refunds, func(r Refund) bool { return r.RefundID == id })
}

// InFlight is the refund that the provider is being asked for, if any: there is at most one.
func (inv Invoice) InFlight() (Refund, bool) {
	return first(inv.Refunds, func(r Refund) bool { return r.Status == RefundSending })
}

// first gives the first element that fits.
func first[T any](all []T, fits func(T) bool) (found T, ok bool) {
	if i := slices.IndexFunc(all, fits); i >= 0 {
		return all[i], true
	}
	return found, false
}

// UnderWay says that the refunder has still to bring the refund to an end.
func (r Refund) UnderWay() bool { return r.Status == RefundSending || r.Status == RefundWaiting }

// Open says that the refund's amount is reserved: it is under way, or in doubt.
func (r Refund) Open() bool { return r.UnderWay() || r.Status == RefundUnknown }

// change checks the table and gives the invoice as it is after the event.
func (inv Invoice) change(c Change) (Invoice, error) {
	from := cmp.Or(inv.State, None)
	to, err := Next(from, c.Event, inv.nothingLeft())
	if err != nil {
		return inv, err
	}
	c.From, c.At = from, c.At.UTC()
	inv.State, inv.Change = to, c
	return inv, nil
}
