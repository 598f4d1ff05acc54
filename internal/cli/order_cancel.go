package cli

import "github.com/seqrflow/seqrflow/pkg/events"

type cancelCmd struct {
	publishing
	Shop    string `required:"" placeholder:"ID" help:"The shop."`
	Order   string `required:"" placeholder:"ID" help:"The order."`
	Invoice string `placeholder:"ID" help:"Which try at paying it, if there were several."`
	Reason  string `placeholder:"TEXT" help:"Why; kept with the invoice."`
}

// Help shows an example.
func (cancelCmd) Help() string {
	return `An open invoice is canceled. A paid one is refunded in full. An order that is placed after its cancellation makes no invoice.

Example:

    seqrflow order cancel --shop acme --order 1001 --reason 'out of stock'`
}

// Run publishes the cancellation.
func (x cancelCmd) Run(c *console) error {
	evs, err := event(events.OrderCanceled, fields{"orderId": x.Order, "invoiceId": x.Invoice, "shop": x.Shop, "reason": x.Reason})
	if err != nil {
		return err
	}
	return x.publish(c, evs)
}
