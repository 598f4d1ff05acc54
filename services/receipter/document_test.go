package receipter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

func row(what, total, rate string) events.Row {
	a, err := events.ParseAmount(total)
	if err != nil {
		panic(err)
	}
	r := events.Row{Description: what, Quantity: decimal.One, Total: a}
	if rate != "" {
		d := decimal.MustParse(rate)
		r.TaxRate = &d
	}
	return r
}

func invoice(rows ...events.Row) events.Invoice {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	inv := events.Invoice{Shop: "Blåbär & Co", OrderID: "10 01", Currency: "SEK", ErsReference: "2026030112000000000000001", PaidAt: &now,
		Order: &events.Order{Rows: rows}}
	for _, r := range rows {
		inv.Total = inv.Total.Add(r.Total)
	}
	return inv
}

func TestVATPerRate(t *testing.T) {
	got, err := vatOf([]events.Row{row("a", "100", "25"), row("b", "25.00", "25.0"), row("rabatt", "-12.50", "25"), row("bok", "53", "6"), row("pant", "2", "0"), row("gift card", "10", "")}, "SEK")
	if err != nil {
		t.Fatal(err)
	}
	want := []VAT{
		{Rate: "25", Net: "90.00", Tax: "22.50", Gross: "112.50"},
		{Rate: "6", Net: "50.00", Tax: "3.00", Gross: "53.00"},
		{Rate: "0", Net: "2.00", Tax: "0.00", Gross: "2.00"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestVATHasTheCurrencysDigits(t *testing.T) {
	got, err := vatOf([]events.Row{row("a", "1000", "10")}, "JPY")
	if err != nil || got[0].Tax != "91" || got[0].Net != "909" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReceiptShowsWhatWasBoughtAndEscapesIt(t *testing.T) {
	doc, err := render(builtin(), invoice(row("Kaffe <script>", "100", "25"), row("Rabatt", "-10", "25")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Blåbär &amp; Co", "Kaffe &lt;script&gt;", "-10.00", "90.00", "18.00", "2026030112000000000000001", "10 01", "2026-03-01 12:00 UTC"} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("the receipt lacks %q", want)
		}
	}
}

func TestTemplateFromAFileIsTriedAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "receipt.html")
	for body, want := range map[string]string{`{{.Total}} {{range .VAT}}{{.Tax}}{{end}}`: "", `{{.Nothing}}`: "Nothing", `{{`: "receipt template"} {
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadTemplate(file)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
