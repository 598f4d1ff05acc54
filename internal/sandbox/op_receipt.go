package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// submitPaymentReceipt stores a document with a payment or a refund. Several are welcome, and so is one without content.
func submitPaymentReceipt(c *call) reply {
	r := Receipt{Terminal: c.terminal.ID, At: c.clock.now()}
	if refund := c.ownRefund(); refund != nil {
		r.ErsReference, r.InvoiceReference = refund.ErsReference, refund.InvoiceReference
	} else {
		p, refused := c.ownPayment()
		if p == nil {
			return refused
		}
		r.ErsReference, r.InvoiceReference = p.ErsReference, p.InvoiceReference
	}
	doc := c.request.child("receiptDocument")
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(doc.raw("receiptData")), ""))
	if err != nil {
		return refuse(rejectedBusinessLogic, "receiptData is not base64")
	}
	sum := sha256.Sum256(data)
	r.MimeType, r.Type = doc.word("mimeType"), doc.word("receiptType")
	r.Size, r.SHA256 = len(data), hex.EncodeToString(sum[:])
	return reply{written: c.commit(&effect{What: "receipted", Receipt: &r})}
}
