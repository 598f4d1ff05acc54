package events

import (
	"cmp"
	"time"
)

// Period is everything known of the closing of one period. Each event of PERIODS carries it as it is
// after the event, so the last event is the state.
type Period struct {
	Shop     string      `json:"shop"`
	Period   string      `json:"period" jsonschema:"description=The merchant's own name of the period"`
	State    PeriodState `json:"state"`
	Terminal string      `json:"terminal,omitempty" jsonschema:"description=The provider's terminal whose period is closed"`

	TransactionPeriodID string     `json:"transactionPeriodId,omitempty" jsonschema:"description=The provider's name of the period"`
	RequestedAt         *time.Time `json:"requestedAt,omitempty"`
	MarkedAt            *time.Time `json:"markedAt,omitempty"`
	ComparedAt          *time.Time `json:"comparedAt,omitempty"`

	Mark        MarkAttempts `json:"mark,omitzero"`
	Previous    *PeriodRef   `json:"previous,omitempty" jsonschema:"description=The period of the same terminal that was marked before this one"`
	LedgerAfter uint64       `json:"ledgerAfter,omitempty" jsonschema:"description=Sequence on INVOICES at which this period begins: the previous period's ledgerBefore"`
	// LedgerBefore is the last sequence on INVOICES before the mark. A payment recorded up to there was
	// at the provider before the mark, so this report has it or an earlier one had.
	LedgerBefore uint64 `json:"ledgerBefore,omitempty" jsonschema:"description=Last sequence on INVOICES before the provider was asked to mark"`

	Comparison
	Change PeriodChange `json:"change"`

	Unknown UnknownFields `json:"-"`
}

// MarkAttempts is how often the provider was asked to mark, recorded before each call. One that is
// under way when the next begins has no recorded answer.
type MarkAttempts struct {
	Count    int  `json:"count,omitempty"`
	UnderWay bool `json:"underWay,omitempty" jsonschema:"description=The last attempt's outcome is not recorded"`
	InDoubt  int  `json:"inDoubt,omitempty" jsonschema:"description=Attempts that may have closed a provider period whose id was lost"`

	Unknown UnknownFields `json:"-"`
}

// PeriodRef names another period.
type PeriodRef struct {
	Shop   string `json:"shop"`
	Period string `json:"period"`
}

// Key of the period that is named.
func (r PeriodRef) Key() PeriodKey { return PeriodKeyOf(r.Shop, r.Period) }

// PeriodChange is what is particular to one event of a period: what happened, what recorded it and why.
type PeriodChange struct {
	Event PeriodEvent `json:"event"`
	From  PeriodState `json:"from"`
	At    time.Time   `json:"at"`
	By    string      `json:"by"`
	Why   string      `json:"why"`
	Call  *Call       `json:"call,omitempty"`
}

// Comparison is the result of comparing the provider's report with our ledger.
type Comparison struct {
	Rows        int                    `json:"rows,omitempty" jsonschema:"description=Of the provider's report"`
	Matched     int                    `json:"matched,omitempty" jsonschema:"description=Rows that agree with our ledger in everything"`
	Totals      []PeriodTotal          `json:"totals,omitempty"`
	Differences int                    `json:"differences,omitempty" jsonschema:"description=Of all kinds, also those that lines has no room for"`
	Kinds       map[DifferenceKind]int `json:"kinds,omitempty" jsonschema:"description=Differences by kind"`
	Lines       []Difference           `json:"lines,omitempty" jsonschema:"description=The first differences"`
	Notes       []string               `json:"notes,omitempty" jsonschema:"description=What a reader of the comparison must know"`

	// Early and Outstanding are what the terminal's next period has to know of this one.
	Early              []EarlyRow    `json:"early,omitempty" jsonschema:"description=Rows of the reports so far that our ledger had not recorded by ledgerBefore"`
	EarlyOmitted       int           `json:"earlyOmitted,omitempty"`
	Outstanding        []LedgerEntry `json:"outstanding,omitempty" jsonschema:"description=What we have recorded and no report has had so far"`
	OutstandingOmitted int           `json:"outstandingOmitted,omitempty"`
	OpenRefunds        *OpenRefunds  `json:"openRefunds,omitempty" jsonschema:"description=What had no outcome when the comparison was made; missing in events of older versions"`
}

// OpenRefunds are the terminal's invoices that had a refund under way or in doubt.
type OpenRefunds struct {
	Invoices []InvoiceRef `json:"invoices,omitempty"`
	Omitted  int          `json:"omitted,omitempty" jsonschema:"description=Of them, those that the list has no room for"`
}

// InvoiceRef names an invoice.
type InvoiceRef struct {
	Shop      string `json:"shop"`
	InvoiceID string `json:"invoiceId"`
}

// Key of the invoice that is named.
func (r InvoiceRef) Key() Key { return KeyOf(r.Shop, r.InvoiceID) }

// PeriodTotal has the sums of our ledger and of the provider's report of a period, in one currency.
type PeriodTotal struct {
	Currency string `json:"currency" jsonschema:"description=Empty for rows that are not ours: the report has no currencies"`
	Ours     Totals `json:"ours"`
	Theirs   Totals `json:"theirs"`
}

// Totals are counts and sums; refunds are sums of positive amounts.
type Totals struct {
	Sales     int    `json:"sales"`
	SalesSum  Amount `json:"salesSum"`
	Refunds   int    `json:"refunds"`
	RefundSum Amount `json:"refundSum"`
}

// DifferenceKind says in what our ledger and the report differ.
type DifferenceKind string

// The kinds of differences.
const (
	MissingHere     DifferenceKind = "missing_here"
	MissingThere    DifferenceKind = "missing_there"
	AmountDiffers   DifferenceKind = "amount_differs"
	CurrencyDiffers DifferenceKind = "currency_differs"
	RefundDiffers   DifferenceKind = "refund_differs"
)

// DifferenceKinds in the order in which they are reported: what disagrees before what is absent.
func DifferenceKinds() []DifferenceKind {
	return []DifferenceKind{AmountDiffers, CurrencyDiffers, RefundDiffers, MissingThere, MissingHere}
}

// Difference is one line of a reconciliation. Amounts of refunds are negative, as in the report.
type Difference struct {
	Kind         DifferenceKind `json:"kind" jsonschema:"enum=missing_here,enum=missing_there,enum=amount_differs,enum=currency_differs,enum=refund_differs"`
	ErsReference string         `json:"ersReference,omitempty"`
	Shop         string         `json:"shop,omitempty"`
	InvoiceID    string         `json:"invoiceId,omitempty"`
	RefundID     string         `json:"refundId,omitempty"`
	Fits         []RefundRef    `json:"fits,omitempty" jsonschema:"description=Several refunds of ours that the row may be; then it is under no refundId"`
	Currency     string         `json:"currency,omitempty"`
	Ours         *Amount        `json:"ours,omitempty"`
	Theirs       *Amount        `json:"theirs,omitempty"`
	Text         string         `json:"text" jsonschema:"description=For people: what was found and what it may mean"`
}

// RefundRef names a refund.
type RefundRef struct {
	Shop      string `json:"shop"`
	InvoiceID string `json:"invoiceId"`
	RefundID  string `json:"refundId"`
}

// EarlyRow is a row of a report that came before our own record of it, or that we never recorded.
type EarlyRow struct {
	ErsReference string `json:"ersReference"`
	// Amount is nil once the row was compared with our own record.
	Amount *Amount `json:"amount,omitempty"`
}

// LedgerEntry is one payment or refund that we have recorded.
type LedgerEntry struct {
	ErsReference string `json:"ersReference,omitempty"`
	Shop         string `json:"shop"`
	InvoiceID    string `json:"invoiceId"`
	RefundID     string `json:"refundId,omitempty" jsonschema:"description=Names a refund; a payment has none"`
	Currency     string `json:"currency"`
	Amount       Amount `json:"amount" jsonschema:"description=Positive for refunds too"`
	Seq          uint64 `json:"seq" jsonschema:"description=Of its event on INVOICES"`
}

// IsRefund tells a refund from a payment.
func (e LedgerEntry) IsRefund() bool { return e.RefundID != "" }

// Signed is the amount as the provider's report has it: refunds are negative.
func (e LedgerEntry) Signed() Amount {
	if e.IsRefund() {
		return e.Amount.Neg()
	}
	return e.Amount
}

// PeriodKeyOf makes the key from the ids as people write them.
func PeriodKeyOf(shop, period string) PeriodKey { return PeriodKey{Token(shop), Token(period)} }

func (k PeriodKey) String() string { return k.Shop + "/" + k.Period }

// Key of the period.
func (p Period) Key() PeriodKey { return PeriodKeyOf(p.Shop, p.Period) }

func (p Period) state() PeriodState { return cmp.Or(p.State, PeriodNone) }
