package cli_test

import "testing"

func TestTheDemoSaysWhyAndPaysASecondTry(t *testing.T) {
	t.Parallel()
	out := good(t, "demo")
	has(t, out, "kafferosteriet/2046             expired         EXPIRED", "kafferosteriet/2046 again       receipted       RECEIPTED",
		"The first buyer who pays scans this code", "34 orders, 0 payments reversed", "the provider accepted the order as an invoice", "invoicer: total: expected a decimal string such as \"149.50\", got the number 120.5")
}
