package seqr

import (
	"time"

	"github.com/govalues/decimal"
)

// Amount is an exact sum of money.
type Amount struct {
	Currency string // its ISO 4217 code
	Value    decimal.Decimal
}

// PaymentMode says whether an invoice that the buyer confirms is paid at once or reserved first.
type PaymentMode string

// Payment modes.
const (
	ImmediateDebit                       PaymentMode = "IMMEDIATE_DEBIT"
	ReservationDesired                   PaymentMode = "RESERVATION_DESIRED"
	ReservationRequired                  PaymentMode = "RESERVATION_REQUIRED"
	ReservationRequiredPreliminaryAmount PaymentMode = "RESERVATION_REQUIRED_PRELIMINARY_AMOUNT"
)

// AcknowledgmentMode says whether the shop answers loyalty tokens, by UpdateInvoice, before the buyer may confirm.
type AcknowledgmentMode string

// Acknowledgment modes.
const (
	NoAcknowledgment       AcknowledgmentMode = "NO_ACKNOWLEDGMENT"
	OptionalAcknowledgment AcknowledgmentMode = "OPTIONAL_ACKNOWLEDGMENT"
	RequireAcknowledgment  AcknowledgmentMode = "REQUIRE_ACKNOWLEDGMENT"
)

// Invoice is what a buyer is asked to pay, or what a refund returns. Only Total is required.
type Invoice struct {
	// PaymentMode is ImmediateDebit unless set, except in UpdateInvoice.
	PaymentMode PaymentMode
	// AcknowledgmentMode is NoAcknowledgment unless set: without one the buyer's app waits for ever.
	AcknowledgmentMode AcknowledgmentMode
	IssueDate          time.Time // left out when zero
	Title              string
	ClientInvoiceID    string // the shop's own id; the provider accepts the same one again
	// Rows sum to Total, and may be negative. Without rows, one row over the whole Total is sent.
	Rows      []InvoiceRow
	Total     Amount
	CashierID string
	Footer    string
	// BackURL is opened on the buyer's phone after a payment and after a cancellation: that it is opened proves nothing.
	BackURL string
	// NotificationURL is called once when the invoice is paid, without proof of the caller: a hint to ask for the status.
	NotificationURL string
	// CommitReservationTimeout is how long a reservation lasts: whole seconds, rounded up. It is left out when zero.
	CommitReservationTimeout time.Duration
}

// InvoiceRow is one line of an invoice. An amount without a currency is in that of the invoice's Total.
type InvoiceRow struct {
	Description string
	Discount    *Amount
	EAN         string
	Quantity    decimal.Decimal // 1 when zero
	SKU         string
	TaxRate     *decimal.Decimal // percent
	Total       Amount
	Unit        string
	UnitPrice   *Amount
}

// CustomerToken is a loyalty card, a coupon or the like that the buyer's app showed.
type CustomerToken struct {
	ID, Description, Value string
	Status                 TokenStatus
}

// TokenStatus is the state of a customer token.
type TokenStatus int

// States of a customer token.
const (
	TokenPending TokenStatus = 0
	TokenUsed    TokenStatus = 1
	TokenBlocked TokenStatus = 90
	TokenUnknown TokenStatus = 99
)

// PaymentReceipt is the provider's record of a payment, without its copy of the invoice.
type PaymentReceipt struct {
	TerminalID       string
	PaymentDate      time.Time // zero when absent or unreadable
	ClientInvoiceID  string
	InvoiceReference string
	PaymentReference string
	PayerTerminalID  string
	ReceiverName     string
}
