package seqr

import (
	"cmp"
	"context"
)

const opSubmitPaymentReceipt = "submitPaymentReceipt"

// SubmitPaymentReceipt is the request that gives the buyer a receipt. It may be repeated: a payment may have several.
type SubmitPaymentReceipt struct {
	As           Principal        // the terminal that the payment was made to
	ErsReference string           // of the payment
	Document     *ReceiptDocument // nil: the receipt has no content
}

// Types of receipt documents.
const (
	ReceiptOfPayment  = "PAYMENT_RECEIPT"
	ReceiptOfWarranty = "WARRANTY"
	ReceiptVoucher    = "VOUCHER"
	ReceiptOther      = "OTHER"
)

// ReceiptDocument is the document that the buyer sees.
type ReceiptDocument struct {
	MIMEType string // "Base64" is preferred; "text/html" and "text/xml" are known too
	Type     string // ReceiptOfPayment unless set
	Data     []byte // the document itself, which is sent as base64
}

// SubmitPaymentReceipt sends the receipt of a payment.
func (c *Client) SubmitPaymentReceipt(ctx context.Context, r SubmitPaymentReceipt) error {
	_, err := c.do(ctx, call{
		operation: opSubmitPaymentReceipt,
		as:        &r.As,
		write: func(e *encoder) {
			e.Text("ersReference", r.ErsReference)
			e.Open("receiptDocument")
			if d := r.Document; d != nil {
				e.Optional("mimeType", d.MIMEType)
				e.Base64("receiptData", d.Data)
				e.Text("receiptType", cmp.Or(d.Type, ReceiptOfPayment))
			}
			e.Close("receiptDocument")
		},
	})
	return err
}
