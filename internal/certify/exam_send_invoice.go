package certify

import "context"

// sendInvoice tests an invoice of one row and one of several.
func sendInvoice(e *exam, ctx context.Context) {
	placed, ok := e.placeOrder(ctx, "an order of one row is sent as an invoice", row("Certification item", 1, 2))
	if !ok {
		return
	}
	e.checkRules(contextRules([]*recorded{placed.sent}), placed.sent)
	e.checkRules(rowRules(placed.sent), placed.sent)
	placed, ok = e.placeOrder(ctx, "an order of several rows is sent as an invoice",
		row("Coffee", 2, 2), row("Tea", 1, 1), row("Discount", 1, -1))
	if ok {
		e.checkRules(rowRules(placed.sent), placed.sent)
	}
}
