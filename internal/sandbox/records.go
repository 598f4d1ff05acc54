package sandbox

import (
	"encoding/json"
	"time"

	"github.com/govalues/decimal"
)

// Status is the state of an invoice, in the provider's words.
type Status string

// The states of an invoice.
const (
	Issued   Status = "ISSUED"
	Pending  Status = "PENDING_ISSUER_ACKNOWLEDGE" // the buyer's app waits for the shop's updateInvoice
	Reserved Status = "RESERVED"
	Paid     Status = "PAID"
	Canceled Status = "CANCELED" // by the shop, by the buyer, or by time
	Failed   Status = "FAILED"   // the payment did not go through
	Expired  Status = "EXPIRED"
)

// Reasons for which an invoice ended unpaid, as the ledger and the log have them.
const (
	reasonDeclined     = "the buyer canceled it"
	reasonFailed       = "the payment failed"
	reasonExpired      = "nobody paid in time"
	reasonCanceled     = "the shop canceled it"
	reasonReplaced     = "the cash register sent a newer invoice"
	reasonUnregistered = "the terminal was unregistered"
	reasonLapsed       = "the reservation was not committed in time"
)

func (s Status) live() bool { return s == Issued || s == Pending || s == Reserved }

// Invoice is an invoice as the ledger shows it.
type Invoice struct {
	InvoiceReference string          `json:"invoiceReference"`
	Terminal         string          `json:"terminal"`
	ClientInvoiceID  string          `json:"clientInvoiceId,omitempty"`
	Status           Status          `json:"status"`
	Version          int             `json:"version"`
	Currency         string          `json:"currency"`
	Total            decimal.Decimal `json:"total"`
	ErsReference     string          `json:"ersReference,omitempty"`
	IssuedAt         time.Time       `json:"issuedAt"`
	PaidAt           time.Time       `json:"paidAt,omitzero"`
	FetchedAt        time.Time       `json:"fetchedAt,omitzero"` // when a getPaymentStatus first answered PAID
	ReversedAt       time.Time       `json:"reversedAt,omitzero"`
	Reason           string          `json:"reason,omitempty"` // of an end that is not PAID
}

// Payment is money that a buyer has paid to a shop.
type Payment struct {
	ErsReference     string          `json:"ersReference"`
	InvoiceReference string          `json:"invoiceReference"`
	Terminal         string          `json:"terminal"`
	Reseller         string          `json:"reseller,omitempty"`
	ClientInvoiceID  string          `json:"clientInvoiceId,omitempty"`
	CashierID        string          `json:"cashierId,omitempty"`
	Currency         string          `json:"currency"`
	Amount           decimal.Decimal `json:"amount"`
	Refunded         decimal.Decimal `json:"refunded"`
	At               time.Time       `json:"at"`
	FetchedAt        time.Time       `json:"fetchedAt,omitzero"`
	ReversedAt       time.Time       `json:"reversedAt,omitzero"`
}

// Reversal is a payment that went back to the buyer because the shop did not fetch it.
type Reversal struct {
	ErsReference     string          `json:"ersReference"` // of the payment
	InvoiceReference string          `json:"invoiceReference"`
	Terminal         string          `json:"terminal"`
	ClientInvoiceID  string          `json:"clientInvoiceId,omitempty"`
	Currency         string          `json:"currency"`
	Amount           decimal.Decimal `json:"amount"`
	At               time.Time       `json:"at"`
	Reason           string          `json:"reason"`
}

// Refund is money that the shop has paid back by refundPayment.
type Refund struct {
	ErsReference        string          `json:"ersReference"`
	PaymentErsReference string          `json:"paymentErsReference"`
	InvoiceReference    string          `json:"invoiceReference"`
	Terminal            string          `json:"terminal"`
	ClientInvoiceID     string          `json:"clientInvoiceId,omitempty"` // of the refund's invoice
	Currency            string          `json:"currency"`
	Amount              decimal.Decimal `json:"amount"`
	At                  time.Time       `json:"at"`
}

// Receipt is a document that the shop has sent for a payment or a refund.
type Receipt struct {
	ErsReference     string    `json:"ersReference"` // of the payment or the refund
	InvoiceReference string    `json:"invoiceReference"`
	Terminal         string    `json:"terminal"`
	MimeType         string    `json:"mimeType"`
	Type             string    `json:"type"`
	Size             int       `json:"size"`
	SHA256           string    `json:"sha256"`
	At               time.Time `json:"at"`
}

// Period is what was booked between two marks of one scope. A scope is a terminal, or a reseller with all its
// terminals; each is marked by itself, so the end of a till's period is not that of the shop's.
// A payment is booked when PAID is first fetched, since until then it may still be reversed; a refund when it is made.
type Period struct {
	TransactionPeriodID string    `json:"transactionPeriodId"`
	Reseller            string    `json:"reseller,omitempty"`
	Terminal            string    `json:"terminal,omitempty"` // empty: all of the reseller's
	MarkedAt            time.Time `json:"markedAt"`
	Payments            int       `json:"payments"`
	Refunds             int       `json:"refunds"`
	From                int       `json:"from"` // bookings [From, To) of the whole provider
	To                  int       `json:"to"`
}

// booking is one line of the provider's accounts, from which every report is made. A refund's amount is negative.
type booking struct {
	ErsReference string          `json:"ersReference"`
	Terminal     string          `json:"terminal"`
	Reseller     string          `json:"reseller,omitempty"`
	CashierID    string          `json:"cashierId,omitempty"`
	Currency     string          `json:"currency"`
	Amount       decimal.Decimal `json:"amount"`
}

// invoice is everything about an invoice.
type invoice struct {
	Invoice
	PaymentMode     string          `json:"paymentMode,omitempty"`
	Acknowledgment  string          `json:"acknowledgmentMode,omitempty"`
	IssueDate       time.Time       `json:"issueDate,omitzero"`
	Title           string          `json:"title,omitempty"`
	Rows            json.RawMessage `json:"rows,omitempty"` // a []row: as JSON it takes half the memory, and few are ever read
	CashierID       string          `json:"cashierId,omitempty"`
	Footer          string          `json:"footer,omitempty"`
	BackURL         string          `json:"backUrl,omitempty"`
	NotificationURL string          `json:"notificationUrl,omitempty"`
	ReserveFor      time.Duration   `json:"reserveFor,omitempty"`
	Tokens          []token         `json:"tokens,omitempty"`
	Scanned         bool            `json:"scanned,omitempty"`
	Acknowledged    bool            `json:"acknowledged,omitempty"` // the shop has answered the scan with updateInvoice
	ConfirmingUntil time.Time       `json:"confirmingUntil,omitzero"`
	ReservedUntil   time.Time       `json:"reservedUntil,omitzero"`
	ReservedAmount  decimal.Decimal `json:"reservedAmount,omitzero"` // what the buyer confirmed; zero in data of earlier versions: all of it
	PaidAmount      decimal.Decimal `json:"paidAmount"`

	written int64 // the last effect on it, which has to be durable before an answer tells of it
}

func (inv *invoice) confirming(now time.Time) bool {
	return inv.Status.live() && inv.Status != Reserved && now.Before(inv.ConfirmingUntil)
}

// as gives a copy in another state, with the next version.
func (inv *invoice) as(status Status, reason string) *invoice {
	next := *inv
	next.Status, next.Reason = status, reason
	next.Version++
	return &next
}

// asksShop tells whether the buyer's app, after the scan, waits for the shop's updateInvoice.
func (inv *invoice) asksShop() bool {
	return inv.Acknowledgment != noAcknowledgment && !inv.Acknowledged
}

// reserved is the highest amount that commitReservation may take.
func (inv *invoice) reserved() decimal.Decimal {
	if inv.ReservedAmount.IsZero() {
		return inv.Total
	}
	return inv.ReservedAmount
}

func (inv *invoice) reserves() bool {
	return inv.PaymentMode != "" && inv.PaymentMode != immediateDebit
}

// rows decodes the rows of the invoice.
func (inv *invoice) rows() (rows []row) {
	_ = json.Unmarshal(inv.Rows, &rows) // readRows has encoded them, or there are none
	return rows
}

type row struct {
	Description string           `json:"description,omitempty"`
	Discount    *decimal.Decimal `json:"discount,omitempty"`
	EAN         string           `json:"ean,omitempty"`
	Quantity    *decimal.Decimal `json:"quantity,omitempty"`
	SKU         string           `json:"sku,omitempty"`
	TaxRate     *decimal.Decimal `json:"taxRate,omitempty"`
	Total       *decimal.Decimal `json:"total,omitempty"`
	Unit        string           `json:"unit,omitempty"`
	UnitPrice   *decimal.Decimal `json:"unitPrice,omitempty"`
}

// token is a loyalty card or the like that the buyer's app presents.
type token struct {
	Description string `json:"description,omitempty"`
	ID          string `json:"id,omitempty"`
	Status      int    `json:"status"`
	Value       string `json:"value,omitempty"`
}

// terminal is a Terminal with its password as a hash.
type terminal struct {
	ID           string `json:"id"`
	External     string `json:"externalTerminalId,omitempty"`
	Name         string `json:"name"`
	Reseller     string `json:"reseller,omitempty"`
	CashRegister bool   `json:"cashRegister,omitempty"`
	Registered   bool   `json:"registered,omitempty"` // by registerTerminal, so it can be unregistered
	Serial       uint64 `json:"serial,omitempty"`     // grows with each registration
	SeqrID       string `json:"seqrId,omitempty"`
	Hash         string `json:"hash"`

	current *invoice // its last live invoice; nil if there is none
}
