package cli

import "github.com/seqrflow/seqrflow/pkg/events"

type returnCmd struct {
	publishing
	Shop    string `required:"" placeholder:"ID" help:"The shop."`
	Order   string `required:"" placeholder:"ID" help:"The order."`
	Invoice string `placeholder:"ID" help:"Which try at paying it, if there were several."`
	Refund  string `required:"" placeholder:"ID" help:"The shop's own id of this refund; the same id never pays twice."`
	Amount  string `placeholder:"AMOUNT" help:"What to pay back, in the order's currency; all that is left unless given."`
	Reason  string `placeholder:"TEXT" help:"Why; kept with the refund."`
}

// Help shows examples.
func (returnCmd) Help() string {
	return `Examples:

    seqrflow order return --shop acme --order 1001 --refund r-1 --amount 75.00 --reason 'one mug broken'
    seqrflow order return --shop acme --order 1001 --refund r-2`
}

// Run publishes the return.
func (x returnCmd) Run(c *console) error {
	evs, err := event(events.Returned, fields{"orderId": x.Order, "invoiceId": x.Invoice, "shop": x.Shop, "refundId": x.Refund, "amount": x.Amount, "reason": x.Reason})
	if err != nil {
		return err
	}
	return x.publish(c, evs)
}
