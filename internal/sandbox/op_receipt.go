package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// submitPaymentReceipt stores a document with a payment. Several are welcome, and so is one without content.
func submitPaymentReceipt(c *call) reply {
	p, refused := c.ownPayment()
	if p == nil {
		return refused
	}
	doc := c.op.child("receiptDocument")
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(doc.raw("receiptData")), ""))
	if err != nil {
		return refuse(rejectedBusinessLogic, "receiptData is not base64")
	}
	sum := sha256.Sum256(data)
	return reply{written: c.commit(&effect{What: "receipted", Receipt: &Receipt{
		ErsReference: p.ErsReference, InvoiceReference: p.InvoiceReference, Terminal: p.Terminal,
		MimeType: doc.word("mimeType"), Type: doc.word("receiptType"),
		Size: len(data), SHA256: hex.EncodeToString(sum[:]), At: c.clock.now(),
	}})}
}
