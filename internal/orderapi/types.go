package orderapi

// The bodies of requests are read by pkg/events, as the workers read an order event; these types only describe them in the document.
// A test holds them to the schemas of the events.

// OrderRow is one line of an order or of a return.
type OrderRow struct {
	_           struct{}   `json:"-" additionalProperties:"true"`
	Description string     `json:"description" minLength:"1" maxLength:"500" example:"Coffee, 500 g"`
	Quantity    number     `json:"quantity" doc:"Not zero. A decimal of at most 12 digits, as a string or a JSON number without exponent"`
	Total       amount     `json:"total" doc:"What the row costs with tax and after discounts; negative for a discount"`
	UnitPrice   amount     `json:"unitPrice,omitempty" doc:"For the buyer's information"`
	TaxRate     percentage `json:"taxRate,omitempty" doc:"Per cent, included in the total; 0 to 100. A decimal, as a string or a JSON number without exponent"`
	SKU         string     `json:"sku,omitempty" maxLength:"200" doc:"The shop's article number"`
	EAN         string     `json:"ean,omitempty" maxLength:"200" doc:"The article's bar code"`
	Unit        string     `json:"unit,omitempty" maxLength:"200" doc:"What the quantity counts" example:"pcs"`
	Discount    amount     `json:"discount,omitempty" doc:"Already taken off the total"`
}

// OrderBody is the order that payment is taken for.
type OrderBody struct {
	_            struct{}   `json:"-" additionalProperties:"true"`
	OrderID      id         `json:"orderId" doc:"The shop's own id of the order. An integer is taken as its digits"`
	InvoiceID    string     `json:"invoiceId,omitempty" minLength:"1" maxLength:"200" doc:"Names another try at paying the same order; the order's id unless given"`
	Shop         string     `json:"shop,omitempty" minLength:"1" maxLength:"200" doc:"The shop of the path; may be left out"`
	Currency     string     `json:"currency" pattern:"^[A-Z]{3}$" doc:"An active ISO 4217 code" example:"SEK"`
	Total        amount     `json:"total" doc:"What the buyer pays: more than 0, and the sum of the rows"`
	Rows         []OrderRow `json:"rows" minItems:"1" maxItems:"500" nullable:"false" doc:"What is paid for"`
	Title        string     `json:"title,omitempty" maxLength:"500" doc:"What the buyer sees above the rows"`
	BackURL      string     `json:"backUrl,omitempty" minLength:"1" maxLength:"2000" doc:"Opens on the buyer's phone afterwards: http, https or an app's own scheme. The checkout page unless given"`
	CashierID    string     `json:"cashierId,omitempty" maxLength:"200" doc:"Who sold it"`
	ValidFor     validFor   `json:"validFor,omitempty" doc:"How long the buyer may take, 1s to 720h; then the invoice expires"`
	BuyerKeyHash string     `json:"buyerKeyHash,omitempty" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 (lower-case hex) of a secret of this order that the buyer has; it opens the checkout page"`
}

// CancelBody says what to cancel.
type CancelBody struct {
	_         struct{} `json:"-" additionalProperties:"true"`
	OrderID   id       `json:"orderId,omitempty" doc:"The order of the path; may be left out"`
	Shop      string   `json:"shop,omitempty" minLength:"1" maxLength:"200" doc:"The shop of the path; may be left out"`
	InvoiceID string   `json:"invoiceId,omitempty" minLength:"1" maxLength:"200" doc:"One try; all of the order unless given"`
	Reason    string   `json:"reason,omitempty" maxLength:"500" doc:"For people; shown with the invoice"`
	KeepPaid  bool     `json:"keepPaid,omitempty" doc:"What is paid stays paid; only an open invoice is canceled"`
}

// ReturnBody says what to pay back.
type ReturnBody struct {
	_         struct{}    `json:"-" additionalProperties:"true"`
	OrderID   id          `json:"orderId,omitempty" doc:"The order of the path; may be left out"`
	Shop      string      `json:"shop,omitempty" minLength:"1" maxLength:"200" doc:"The shop of the path; may be left out"`
	RefundID  string      `json:"refundId" minLength:"1" maxLength:"200" doc:"The shop's id of this refund; the same never pays twice. late, cancel and second are reserved" example:"r1"`
	InvoiceID string      `json:"invoiceId,omitempty" minLength:"1" maxLength:"200" doc:"The try that was paid, where that is not the order's first"`
	Amount    amountOrAll `json:"amount,omitempty" doc:"What to pay back, more than 0; \"all\" (or no amount and no rows) is all that is left"`
	Currency  string      `json:"currency,omitempty" pattern:"^[A-Z]{3}$" doc:"The invoice's; an ISO 4217 code"`
	Rows      []OrderRow  `json:"rows,omitempty" minItems:"1" maxItems:"500" nullable:"false" doc:"What came back; the rows sum to the amount"`
	Reason    string      `json:"reason,omitempty" maxLength:"500" doc:"For people; shown with the refund"`
}
