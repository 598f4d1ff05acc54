package seqr

import "context"

const opSubmitPaymentReceipt = "submitPaymentReceipt"

// SubmitPaymentReceipt gives the buyer a receipt. It may be repeated: a payment may have several.
type SubmitPaymentReceipt struct {
	As           Principal
	ErsReference string           // of the payment
	Document     *ReceiptDocument // nil: the receipt has no content
}

// Kinds of receipt documents.
const (
	ReceiptOfPayment  = "PAYMENT_RECEIPT"
	ReceiptOfWarranty = "WARRANTY"
	ReceiptVoucher    = "VOUCHER"
	ReceiptOther      = "OTHER"
)

// ReceiptDocument is what the buyer gets to see. Data always travels as base64.
type ReceiptDocument struct {
	MIMEType string // "Base64" is preferred; "text/html" and "text/xml" are known too
	Type     string // ReceiptOfPayment unless set
	Data     []byte
}

// SubmitPaymentReceipt sends a receipt of a payment.
func (c *Client) SubmitPaymentReceipt(ctx context.Context, r SubmitPaymentReceipt) error {
	_, err := c.do(ctx, call{
		operation: opSubmitPaymentReceipt,
		as:        &r.As,
		write: func(e *encoder) {
			e.text("ersReference", r.ErsReference)
			e.open("receiptDocument")
			if d := r.Document; d != nil {
				kind := d.Type
				setDefault(&kind, ReceiptOfPayment)
				e.optional("mimeType", d.MIMEType)
				e.base64("receiptData", d.Data)
				e.text("receiptType", kind)
			}
			e.close("receiptDocument")
		},
	})
	return err
}
