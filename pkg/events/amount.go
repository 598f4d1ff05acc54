package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/govalues/decimal"
)

// MaxAmountDigits is how many digits an amount may have in all, before and after the decimal point.
const MaxAmountDigits = 12

var plainDecimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// Amount is an exact sum of money in some currency's main unit. In JSON it is a decimal string
// ("149.50"); a JSON number is refused, because most writers of JSON numbers go through binary floats.
// The zero value is 0.
type Amount struct{ d decimal.Decimal }

// ParseAmount reads a plain decimal such as "149.50" or "-20": no exponent, no plus sign, no spaces.
func ParseAmount(s string) (Amount, error) {
	d, err := parsePlain(s)
	return Amount{d}, err
}

// AmountOf takes over an exact decimal, for instance from a provider's answer.
func AmountOf(d decimal.Decimal) Amount { return Amount{d} }

func parsePlain(s string) (decimal.Decimal, error) {
	if !plainDecimal.MatchString(s) {
		return decimal.Decimal{}, fmt.Errorf(`expected a plain decimal such as "149.50", got %q`, clip(s, 40))
	}
	if n := len(s) - strings.Count(s, "-") - strings.Count(s, "."); n > MaxAmountDigits {
		return decimal.Decimal{}, fmt.Errorf("expected at most %d digits, got %d", MaxAmountDigits, n)
	}
	d, err := decimal.Parse(s)
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("expected a decimal, got %q", clip(s, 40))
	}
	return d, nil
}

// Decimal gives the exact value.
func (a Amount) Decimal() decimal.Decimal { return a.d }

func (a Amount) String() string { return a.d.String() }

// In renders the amount with the digits that the currency has, so "149.5" SEK reads "149.50".
func (a Amount) In(currency string) string {
	n, ok := CurrencyDigits(currency)
	if !ok {
		return a.String()
	}
	return a.d.Pad(n).String()
}

// within gives the amount with no more digits after the point than the currency has; digits beyond them must
// be zeros. Where the currency is not known only zeros beyond the usual two are taken off.
func (a Amount) within(currency string) (Amount, error) {
	n, ok := CurrencyDigits(currency)
	if !ok {
		return Amount{a.d.Trim(2)}, nil
	}
	if a.d.Scale() <= n {
		return a, nil
	}
	if d := a.d.Trim(n); d.Scale() == n {
		return Amount{d}, nil
	}
	return a, fmt.Errorf("expected at most %d digits after the point for %s, got %q", n, currency, a)
}

// Add returns a+b. Sums of amounts within [MaxAmountDigits] cannot overflow the decimal's 19 digits.
func (a Amount) Add(b Amount) Amount { return Amount{must(a.d.Add(b.d))} }

// Sub returns a-b.
func (a Amount) Sub(b Amount) Amount { return Amount{must(a.d.Sub(b.d))} }

// Neg returns -a.
func (a Amount) Neg() Amount { return Amount{a.d.Neg()} }

// Cmp is -1, 0 or 1 as a is less than, equal to or more than b: "1.5" equals "1.50".
func (a Amount) Cmp(b Amount) int { return a.d.Cmp(b.d) }

// Sign is -1, 0 or 1.
func (a Amount) Sign() int { return a.d.Sign() }

// IsZero lets encoding/json leave out an amount that is tagged omitzero.
func (a Amount) IsZero() bool { return a.d.IsZero() }

func must(d decimal.Decimal, err error) decimal.Decimal {
	if err != nil {
		panic(fmt.Sprintf("events: sum of bounded amounts: %v", err))
	}
	return d
}

// MarshalJSON writes a decimal string.
func (a Amount) MarshalJSON() ([]byte, error) { return json.Marshal(a.d.String()) }

// UnmarshalJSON takes a decimal string and nothing else.
func (a *Amount) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '"' {
		return errors.New(`expected a decimal string such as "149.50"`)
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	d, err := decimal.Parse(s)
	a.d = d
	return err
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// The active currencies of ISO 4217 by how many digits their minor unit has. Funds codes, metals
// and testing codes are left out: no order is paid with them.
const (
	noDigits    = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
	threeDigits = "BHD IQD JOD KWD LYD OMR TND"
	twoDigits   = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD " +
		"CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD " +
		"HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK " +
		"MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB " +
		"SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD " +
		"UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG"
)

// CurrencyDigits says how many digits the minor unit of an ISO 4217 currency has; ok is false for
// anything that is not an active currency's upper-case code.
func CurrencyDigits(code string) (digits int, ok bool) {
	switch {
	case len(code) != 3 || strings.ContainsRune(code, ' '):
		return 0, false
	case listed(twoDigits, code):
		return 2, true
	case listed(noDigits, code):
		return 0, true
	case listed(threeDigits, code):
		return 3, true
	}
	return 0, false
}

// Codes stand at every fourth byte, so a match anywhere else is two halves of neighbours.
func listed(codes, code string) bool {
	i := strings.Index(codes, code)
	return i >= 0 && i%4 == 0
}
