package seqr

import (
	"time"

	"github.com/govalues/decimal"
)

// Amount is an exact sum in a currency named by its ISO 4217 code.
type Amount struct {
	Currency string
	Value    decimal.Decimal
}

// PaymentMode says whether a confirmed invoice is paid at once or reserved first.
type PaymentMode string

const (
	ImmediateDebit                       PaymentMode = "IMMEDIATE_DEBIT"
	ReservationDesired                   PaymentMode = "RESERVATION_DESIRED"
	ReservationRequired                  PaymentMode = "RESERVATION_REQUIRED"
	ReservationRequiredPreliminaryAmount PaymentMode = "RESERVATION_REQUIRED_PRELIMINARY_AMOUNT"
)

// AcknowledgmentMode says whether the shop answers loyalty tokens before the buyer may confirm.
type AcknowledgmentMode string

const (
	NoAcknowledgment       AcknowledgmentMode = "NO_ACKNOWLEDGMENT"
	OptionalAcknowledgment AcknowledgmentMode = "OPTIONAL_ACKNOWLEDGMENT"
	RequireAcknowledgment  AcknowledgmentMode = "REQUIRE_ACKNOWLEDGMENT"
)

// Invoice is a bill, or the part of one that a refund gives back.
type Invoice struct {
	// PaymentMode is ImmediateDebit unless set; see UpdateInvoice for a bill that is there already.
	PaymentMode PaymentMode
	// AcknowledgmentMode is NoAcknowledgment unless set: without one the buyer's app waits for ever.
	AcknowledgmentMode AcknowledgmentMode
	IssueDate          time.Time // left out when zero
	Title              string
	ClientInvoiceID    string
	// Rows sum to Total; negative rows are allowed. Without rows, one row over the whole Total is sent.
	Rows      []InvoiceRow
	Total     Amount
	CashierID string
	Footer    string
	// BackURL is opened on the buyer's phone after payment or cancellation alike: it proves nothing.
	BackURL string
	// NotificationURL is told once, without proof of origin, that the invoice was paid: a hint to ask.
	NotificationURL string
	// CommitReservationTimeout is how long a reservation is held; whole seconds, rounded up.
	CommitReservationTimeout time.Duration
}

// InvoiceRow is one line of an invoice. Amounts without a currency take the invoice's.
type InvoiceRow struct {
	Description string
	Discount    *Amount
	EAN         string
	Quantity    decimal.Decimal // 1 when zero
	SKU         string
	TaxRate     *decimal.Decimal
	Total       Amount
	Unit        string
	UnitPrice   *Amount
}

// CustomerToken is a loyalty card, coupon or the like that the buyer's app showed.
type CustomerToken struct {
	ID, Description, Value string
	Status                 TokenStatus
}

// TokenStatus is what became of a customer token.
type TokenStatus int

const (
	TokenPending TokenStatus = 0
	TokenUsed    TokenStatus = 1
	TokenBlocked TokenStatus = 90
	TokenUnknown TokenStatus = 99
)

// PaymentReceipt is the provider's own account of a payment.
type PaymentReceipt struct {
	TerminalID       string
	PaymentDate      time.Time // zero when absent or unreadable
	ClientInvoiceID  string
	InvoiceReference string
	PaymentReference string
	PayerTerminalID  string
	ReceiverName     string
	// Invoice is nil when absent, or when an amount in it can't be read exactly.
	Invoice *Invoice
}
