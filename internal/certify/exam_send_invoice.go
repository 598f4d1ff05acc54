package certify

import "context"

// sendInvoice: invoices of one row and of several, with what each has to say.
func sendInvoice(e *exam, ctx context.Context) {
	b, ok := e.order(ctx, "an order of one row is sent as an invoice", row("Certification item", 1, 2))
	if !ok {
		return
	}
	e.rules(contextRules([]*recorded{b.sent}), b.sent)
	e.rules(rowRules(b.sent), b.sent)
	b, ok = e.order(ctx, "an order of several rows is sent as an invoice",
		row("Coffee", 2, 2), row("Tea", 1, 1), row("Discount", 1, -1))
	if ok {
		e.rules(rowRules(b.sent), b.sent)
	}
}
