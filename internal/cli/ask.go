package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

type askCmd struct {
	brokerFlags
	Invoice invoiceArg `arg:"" placeholder:"SHOP/INVOICE" help:"Which invoice, e.g. acme/1001."`
	JSON    bool       `name:"json" help:"One JSON object: ours, the provider's answer, and whether they agree."`
	app.ProviderFlags
}

func (askCmd) Help() string {
	return `Asks the provider for the invoice's status (getPaymentStatus) and shows the answer beside what is recorded here. Nothing is recorded by it. Where the two differ, the poller is told to ask too; it records what it gets.

To the provider a payment counts as fetched once anybody has asked: it is not reversed any more. So have a poller running when you ask about an open invoice. Without shops' credentials, a provider on this machine is asked as the sandbox's demo terminal.

Exit code 0 when the provider has answered.

Example:

    seqrflow ask acme/1001 --shops-file shops.yaml --provider https://seqr.example/extclientproxy/service/v2`
}

// answer is what the provider says, beside what is recorded.
type answer struct {
	Shop             string         `json:"shop"`
	Invoice          string         `json:"invoice"`
	InvoiceReference string         `json:"invoiceReference"`
	State            events.State   `json:"state"`
	ErsReference     string         `json:"ersReference,omitempty"`
	Provider         providerAnswer `json:"provider"`
	Agree            bool           `json:"agree"`
}

type providerAnswer struct {
	At           time.Time `json:"at"`
	Millis       int64     `json:"ms"`
	Code         int       `json:"code"`
	Description  string    `json:"description,omitempty"`
	Status       string    `json:"status,omitempty"`
	ErsReference string    `json:"ersReference,omitempty"`
}

func (a askCmd) Run(c *console, b *bus.Bus) error {
	k := a.Invoice.Key
	shops, err := a.shops(c)
	if err != nil {
		return err
	}
	inv, err := b.Load(c.ctx, k)
	switch {
	case err != nil:
		return err
	case !inv.Known():
		return fmt.Errorf("there is no invoice %s here; see: seqrflow show %s", k, a.Invoice.word)
	case inv.InvoiceReference == "":
		return fmt.Errorf("%s is %s and has no invoiceReference: the provider has never issued it, so there is nothing to ask for", k, inv.State)
	}
	as, err := calls.As(shops, inv.Invoice)
	if err != nil {
		return err
	}
	out, err := a.ask(c, inv.Invoice, as)
	if err != nil {
		return err
	}
	return a.report(c, b, inv, out)
}

// shops are the settings', or the sandbox's own.
func (a askCmd) shops(c *console) (app.ShopList, error) {
	shops, err := c.shops(a.ShopsFile)
	if err != nil || len(shops) > 0 {
		return shops, err
	}
	if !loopback(a.Provider) {
		return nil, wrongUsage("no shops: the provider wants the shop's credentials. Give a file with --shops-file or SEQRFLOW_SHOPS_FILE; see: seqrflow run --help")
	}
	return app.ShopList{app.AnyShop: demoShop()}, nil
}

func (a askCmd) ask(c *console, inv events.Invoice, as seqr.Principal) (answer, error) {
	client, err := app.NewClient(a.ClientConfig())
	if err != nil {
		return answer{}, usageError{err}
	}
	defer client.CloseIdle()
	done := c.tellSlow(fmt.Sprintf("waiting for the provider's answer, for %s at most …", a.ProviderTimeout))
	defer done()
	begun := time.Now()
	s, err := client.GetPaymentStatus(c.ctx, seqr.GetPaymentStatus{As: as, InvoiceReference: inv.InvoiceReference})
	out := answer{Shop: inv.Shop, Invoice: inv.InvoiceID, InvoiceReference: inv.InvoiceReference, State: inv.State, ErsReference: inv.ErsReference,
		Provider: providerAnswer{At: begun.UTC(), Millis: time.Since(begun).Milliseconds()}}
	var refusal *seqr.Error
	switch {
	case err == nil:
		out.Provider.Description, out.Provider.Status, out.Provider.ErsReference = seqr.Success.String(), string(s.Status), s.ErsReference
	case errors.As(err, &refusal) && refusal.Sent == seqr.Answered:
		out.Provider.Code, out.Provider.Description = int(refusal.Code), refusal.Code.String()
	default:
		return out, fmt.Errorf("the provider does not answer: %w", err)
	}
	out.Agree = agree(inv, s, err)
	return out, nil
}

// agree says whether our state is what the provider's answer would have it be. An invoice that is not paid says little: an
// expired one of ours is CANCELED there.
func agree(inv events.Invoice, s seqr.PaymentStatus, err error) bool {
	switch {
	case err != nil:
		return false
	case s.Status == seqr.StatusPaid:
		return inv.State.Paid() && (s.ErsReference == "" || s.ErsReference == inv.ErsReference)
	case s.Status == seqr.StatusReserved:
		return inv.State == events.Reserved
	case s.Status == seqr.StatusFailed, s.Status == seqr.StatusCanceled, s.Status == seqr.StatusExpired:
		return inv.State.Ended()
	}
	return inv.State.Open()
}

func (a askCmd) report(c *console, b *bus.Bus, inv bus.Loaded, out answer) error {
	if !out.Agree {
		if err := b.Hint(inv.Key); err != nil {
			return err
		}
	}
	if a.JSON {
		return c.json(out)
	}
	p := out.Provider
	c.say("%s  invoiceReference %s, asked at %s, answered %d %s in %d ms\n", term.Clean(inv.Shop+"/"+inv.InvoiceID), term.Clean(inv.InvoiceReference), c.lines.Date(p.At), p.Code, p.Description, p.Millis)
	c.table([]string{"", "here", "the provider"}, [][]string{
		{"state", string(inv.State), p.Status}, {"ersReference", inv.ErsReference, p.ErsReference},
		{"since", c.lines.Date(inv.Change.At), ""}, {"by", inv.Change.By + ": " + inv.Change.Why, ""},
	})
	switch {
	case out.Agree:
		c.say("\nThe two agree.")
	case p.Code != 0:
		c.say("\nThe provider has no status of it: it answers %d %s.", p.Code, p.Description)
	case inv.State.Open():
		c.say("\nThe two differ. The poller was told to ask at once; what it gets is recorded: seqrflow show %s", a.Invoice.word)
	default:
		c.say("\nThe two differ, and here the invoice has ended. Look at its life: seqrflow show %s", a.Invoice.word)
	}
	return nil
}
