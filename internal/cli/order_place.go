package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type placeCmd struct {
	publishing
	File        string `arg:"" optional:"" help:"File with one order or many, one JSON object after another; - is standard input."`
	placedOrder `group:"order"`
}

// placedOrder is an order that flags give. With a file they are refused, all but those that say where what can't be read is published.
type placedOrder struct {
	Shop      string   `placeholder:"ID" help:"The shop."`
	Order     string   `placeholder:"ID" help:"The shop's own id of the order."`
	Invoice   string   `placeholder:"ID" help:"Names a second try at paying the same order."`
	Currency  string   `placeholder:"CODE" help:"ISO 4217 code, e.g. SEK."`
	Total     string   `placeholder:"AMOUNT" help:"What the buyer pays; the rows' sum unless given."`
	Rows      []string `name:"row" sep:"none" placeholder:"TEXT;QTY;TOTAL[;TAX]" help:"A row: description; quantity; total; VAT per cent. Repeat it for more. A negative total is a discount."`
	Title     string   `placeholder:"TEXT" help:"What the buyer sees above the rows."`
	BackURL   string   `name:"back-url" placeholder:"URL" help:"Opens on the buyer's phone afterwards."`
	CashierID string   `name:"cashier" placeholder:"ID" help:"The person who sold it."`
	ValidFor  string   `name:"valid-for" placeholder:"DURATION" help:"How long the buyer may take, e.g. 15m; then the invoice expires."`
}

func (placeCmd) Help() string {
	return `A file holds bare order data, CloudEvents, or data with a "type" of placed, canceled or returned beside it. Everything is checked before anything is published.

Examples:

    seqrflow order place --shop acme --order 1001 --currency SEK \
        --row 'Coffee, 500 g;1;99.00;12' --row 'Mug;2;150.00;25' --row 'Autumn offer;1;-20.00;25'

    seqrflow order place orders.ndjson

    echo '{"shop":"acme","orderId":"1002","currency":"SEK","total":"99.00",
      "rows":[{"description":"Coffee","quantity":1,"total":"99.00"}]}' | seqrflow order place -`
}

func (p placeCmd) Validate(k *kong.Context) error {
	var given []string // by the command line: the settings file may give --valid-for for the workers
	where := p.NoCheck && p.Shop != "" && p.Order != ""
	for _, at := range k.Path {
		if f := at.Flag; f != nil && !at.Resolved && f.Group != nil && f.Group.Key == "order" && !(where && (f.Name == "shop" || f.Name == "order")) {
			given = append(given, "--"+f.Name)
		}
	}
	if p.File != "" && len(given) > 0 {
		return fmt.Errorf("give a file or an order's flags, not both: the orders of %s say it themselves, without %s", p.File, strings.Join(given, ", "))
	}
	return nil
}

func (p placeCmd) Run(c *console) error {
	if p.File == "" {
		data, err := p.fields()
		if err != nil {
			return err
		}
		return p.publishFields(c, events.Placed, data)
	}
	evs, err := p.fromFile(c)
	if err != nil {
		return err
	}
	return p.publish(c, evs)
}

func (p placeCmd) fromFile(c *console) ([]orderfile.Event, error) {
	body, err := input(c, p.File)
	if err != nil {
		return nil, err
	}
	evs, err := orderfile.Read(bytes.NewReader(body), events.Placed)
	switch {
	case err != nil && p.NoCheck && p.Shop != "" && p.Order != "":
		return []orderfile.Event{{Name: events.Placed, Shop: p.Shop, Order: p.Order, Invoice: p.Order, Body: body}}, nil
	case err != nil && p.NoCheck:
		return nil, fmt.Errorf("%s: %w\nTo publish it all the same, say where with --shop and --order", p.File, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", p.File, err)
	case len(evs) == 0:
		return nil, fmt.Errorf("%s: there is no order in it", p.File)
	case p.NoCheck && p.Order != "":
		return nil, wrongUsage("%s can be read, and its orders say where they go: leave out --shop and --order", p.File)
	}
	return evs, nil
}

func input(c *console, file string) ([]byte, error) {
	if file != "-" {
		return os.ReadFile(file)
	}
	if term.IsTerminal(c.in) {
		fmt.Fprintln(c.err, "reading orders from the keyboard; end with Ctrl-D")
	}
	return io.ReadAll(c.in)
}

func (p placeCmd) fields() (fields, error) {
	var missing []string
	for _, f := range []struct{ name, value string }{{"--shop", p.Shop}, {"--order", p.Order}, {"--currency", p.Currency}, {"--row", strings.Join(p.Rows, "")}} {
		if f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return nil, wrongUsage("an order needs %s; or name a file (- is standard input). See: seqrflow order place --help", strings.Join(missing, ", "))
	}
	var rows []fields
	var sum events.Amount
	for i, text := range p.Rows {
		row, total, err := parseRow(text)
		if err != nil {
			return nil, wrongUsage("--row %d: %w", i+1, err)
		}
		sum, rows = sum.Add(total), append(rows, row)
	}
	return fields{
		"orderId": p.Order, "invoiceId": p.Invoice, "shop": p.Shop, "currency": p.Currency, "total": cmp.Or(p.Total, sum.In(p.Currency)), "rows": rows,
		"title": p.Title, "backUrl": p.BackURL, "cashierId": p.CashierID, "validFor": p.ValidFor,
	}, nil
}

// parseRow reads description;quantity;total[;taxRate].
func parseRow(text string) (row fields, total events.Amount, err error) {
	f := strings.Split(text, ";")
	for i := range f {
		f[i] = strings.TrimSpace(f[i])
	}
	if len(f) < 3 || len(f) > 4 {
		return nil, total, fmt.Errorf("expected description;quantity;total[;taxRate], got %q", text)
	}
	row = fields{"description": f[0], "quantity": f[1], "total": f[2]}
	if len(f) == 4 && f[3] != "" {
		row["taxRate"] = f[3]
	}
	if total, err = events.ParseAmount(f[2]); err != nil {
		return nil, total, fmt.Errorf("total: %w", err)
	}
	return row, total, nil
}
