package checkout

import (
	"strings"
	"testing"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestAmountsAsPeopleWriteThem(t *testing.T) {
	for _, c := range []struct {
		lang             Language
		amount, currency string
		want             string
	}{
		{"en", "149.5", "SEK", "SEK 149.50"},
		{"en", "1234567.89", "EUR", "EUR 1,234,567.89"},
		{"sv", "1234.5", "SEK", "1 234,50 SEK"},
		{"nb", "-15", "NOK", "−15,00 NOK"},
		{"da", "1234.5", "DKK", "1.234,50 DKK"},
		{"fi", "100000", "EUR", "100 000,00 EUR"},
		{"de", "0.5", "EUR", "0,50 EUR"},
		{"de", "1000", "JPY", "1.000 JPY"},
		{"en", "-1.234", "BHD", "BHD −1.234"},
		{"sv", "999", "ISK", "999 ISK"},
	} {
		a, err := events.ParseAmount(c.amount)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(money(c.lang, a, c.currency), noBreak, " "); got != c.want {
			t.Errorf("%s %s in %s: %q, expected %q", c.amount, c.currency, c.lang, got, c.want)
		}
	}
	if got := quantity("sv", decimal.MustParse("0.500")); got != "0,5" {
		t.Errorf("quantity %q", got)
	}
	for d, want := range map[time.Duration]string{0: "0:00", -time.Second: "0:00", 65 * time.Second: "1:05", 3600 * time.Second: "60:00"} {
		if got := clock(d); got != want {
			t.Errorf("%s: %q", d, got)
		}
	}
}
