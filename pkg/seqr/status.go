package seqr

// InvoiceStatus is where an invoice stands at the provider. A value that is none of the constants
// comes from a newer provider, and must not be taken for an end.
type InvoiceStatus string

const (
	StatusIssued                   InvoiceStatus = "ISSUED"
	StatusPaid                     InvoiceStatus = "PAID"
	StatusPendingIssuerAcknowledge InvoiceStatus = "PENDING_ISSUER_ACKNOWLEDGE"
	StatusCanceled                 InvoiceStatus = "CANCELED"
	StatusFailed                   InvoiceStatus = "FAILED"
	StatusReserved                 InvoiceStatus = "RESERVED"
	StatusExpired                  InvoiceStatus = "EXPIRED"
	StatusPartiallyPaid            InvoiceStatus = "PARTIALLY_PAID"
)

const (
	invoiceCodeHost  = "SEQR.SE/R"
	terminalCodeHost = "SEQR.SE/Q"
)

// QRCode is the text of an invoice's QR code: upper case, which makes for a smaller code.
func QRCode(invoiceReference string) string {
	return "HTTP://" + invoiceCodeHost + invoiceReference
}

// StaticQRCode is the text of the QR code that hangs at a till: the buyer who scans it gets the till's live invoice.
func StaticQRCode(seqrID string) string {
	return "HTTP://" + terminalCodeHost + seqrID
}

// QRLink is the link that opens the buyer's app on the phone at hand: the QR code's text under the app's
// own scheme. debug is for the provider's test systems.
func QRLink(invoiceReference string, debug bool) string {
	if debug {
		return "SEQR-DEBUG://" + invoiceCodeHost + invoiceReference
	}
	return "SEQR://" + invoiceCodeHost + invoiceReference
}
