package receipter

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"slices"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

//go:embed receipt.html
var builtinHTML string

func builtin() *template.Template { return template.Must(template.New("receipt").Parse(builtinHTML)) }

// LoadTemplate reads an HTML template that replaces the built-in receipt. It is tried on a sample at
// once, so that a mistake shows at the start and not at the first payment.
func LoadTemplate(file string) (*template.Template, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("receipt template: %w", err)
	}
	t, err := template.New("receipt").Parse(string(body))
	if err != nil {
		return nil, fmt.Errorf("receipt template: %w", err)
	}
	total, _ := events.ParseAmount("10.00")
	now := time.Now()
	sample := events.Invoice{Shop: "shop", OrderID: "order", Currency: "SEK", Total: total, ErsReference: "ers", PaidAt: &now,
		Order: &events.Order{Rows: []events.Row{{Description: "row", Quantity: decimal.One, Total: total}}}}
	if _, err := render(t, sample); err != nil {
		return nil, fmt.Errorf("receipt template: %w", err)
	}
	return t, nil
}

// Document is what a receipt template may show. Amounts are formatted for the currency.
type Document struct {
	Shop, Title, OrderID, InvoiceID    string
	InvoiceReference, ErsReference     string
	Currency, Total, CashierID, PaidAt string
	Rows                               []DocumentRow
	VAT                                []VAT
}

// DocumentRow is one line of the receipt.
type DocumentRow struct{ Description, Quantity, Unit, UnitPrice, TaxRate, Total string }

// VAT is what the rows of one tax rate contain: Gross is Net and Tax together.
type VAT struct{ Rate, Net, Tax, Gross string }

func render(t *template.Template, inv events.Invoice) ([]byte, error) {
	if inv.Order == nil {
		return nil, errNoOrder
	}
	vat, err := vatOf(inv.Order.Rows, inv.Currency)
	if err != nil {
		return nil, err
	}
	d := Document{
		Shop: inv.Shop, Title: inv.Order.Title, OrderID: inv.OrderID, InvoiceID: inv.InvoiceID,
		InvoiceReference: inv.InvoiceReference, ErsReference: inv.ErsReference,
		Currency: inv.Currency, Total: inv.Total.In(inv.Currency), CashierID: inv.Order.CashierID, VAT: vat,
	}
	if inv.PaidAt != nil {
		d.PaidAt = inv.PaidAt.UTC().Format("2006-01-02 15:04 MST")
	}
	for _, r := range inv.Order.Rows {
		row := DocumentRow{Description: r.Description, Quantity: r.Quantity.String(), Unit: r.Unit, Total: r.Total.In(inv.Currency)}
		if r.UnitPrice != nil {
			row.UnitPrice = r.UnitPrice.In(inv.Currency)
		}
		if r.TaxRate != nil {
			row.TaxRate = r.TaxRate.String()
		}
		d.Rows = append(d.Rows, row)
	}
	var out bytes.Buffer
	err = t.Execute(&out, d)
	return out.Bytes(), err
}

// vatOf sums the rows per rate and takes the tax out of each sum once, rounded half to even to the
// currency's digits: row totals include their tax. Rows without a rate are in no sum.
func vatOf(rows []events.Row, currency string) ([]VAT, error) {
	digits, _ := events.CurrencyDigits(currency)
	var rates []decimal.Decimal
	gross := map[string]events.Amount{}
	for _, r := range rows {
		if r.TaxRate == nil {
			continue
		}
		rate := r.TaxRate.Trim(0)
		if _, seen := gross[rate.String()]; !seen {
			rates = append(rates, rate)
		}
		gross[rate.String()] = gross[rate.String()].Add(r.Total)
	}
	slices.SortFunc(rates, func(a, b decimal.Decimal) int { return b.Cmp(a) })
	var out []VAT
	for _, rate := range rates {
		sum := gross[rate.String()]
		tax, err := taxIn(sum.Decimal(), rate)
		if err != nil {
			return nil, fmt.Errorf("tax of %s at %s %%: %w", sum, rate, err)
		}
		t := events.AmountOf(tax.Round(digits))
		out = append(out, VAT{Rate: rate.String(), Net: sum.Sub(t).In(currency), Tax: t.In(currency), Gross: sum.In(currency)})
	}
	return out, nil
}

func taxIn(gross, rate decimal.Decimal) (decimal.Decimal, error) {
	divisor, err := decimal.Hundred.Add(rate)
	if err != nil {
		return decimal.Decimal{}, err
	}
	product, err := gross.Mul(rate)
	if err != nil {
		return decimal.Decimal{}, err
	}
	return product.Quo(divisor)
}
