package events

import "strings"

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
