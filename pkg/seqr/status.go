package seqr

// InvoiceStatus is the state of an invoice at the provider. A value that is none of the constants comes from a newer
// version of the provider, and must not be taken for the end of an invoice.
type InvoiceStatus string

// States of an invoice.
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

// QRCode returns the text of an invoice's QR code. It is in upper case, which makes a smaller code.
func QRCode(invoiceReference string) string {
	return "HTTP://" + invoiceCodeHost + invoiceReference
}

// StaticQRCode returns the text of the QR code that is printed at a till: a buyer who scans it gets the terminal's open
// invoice.
func StaticQRCode(seqrID string) string {
	return "HTTP://" + terminalCodeHost + seqrID
}

// QRLink returns the link that opens an invoice in the app on the buyer's own phone: the text of the QR code under the
// app's scheme. debug is for the provider's test systems.
func QRLink(invoiceReference string, debug bool) string {
	if debug {
		return "SEQR-DEBUG://" + invoiceCodeHost + invoiceReference
	}
	return "SEQR://" + invoiceCodeHost + invoiceReference
}
