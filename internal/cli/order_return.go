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

type returnData struct {
	OrderID   string `json:"orderId"`
	InvoiceID string `json:"invoiceId,omitempty"`
	Shop      string `json:"shop"`
	RefundID  string `json:"refundId"`
	Amount    string `json:"amount,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Help shows examples.
func (returnCmd) Help() string {
	return `Examples:

    seqrflow order return --shop acme --order 1001 --refund r-1 --amount 75.00 --reason 'one mug broken'
    seqrflow order return --shop acme --order 1001 --refund r-2`
}

// Run publishes the return.
func (x returnCmd) Run(c *console) error {
	evs, err := event(events.Returned, returnData{OrderID: x.Order, InvoiceID: x.Invoice, Shop: x.Shop, RefundID: x.Refund, Amount: x.Amount, Reason: x.Reason})
	if err != nil {
		return err
	}
	return x.publish(c, evs)
}
