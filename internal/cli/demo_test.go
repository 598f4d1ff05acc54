package cli_test

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTheDemoFits100ColumnsAndPaysASecondTry(t *testing.T) {
	if testing.Short() {
		t.Skip("in the short form: a demo has to end within half a minute; internal/demo runs the same under the race detector")
	}
	t.Parallel()
	out := good(t, "demo")
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	has(t, out, "kafferosteriet/2046             expired         EXPIRED", "kafferosteriet/2046 again       receipted       RECEIPTED",
		"The first buyer who pays scans this code", "34 orders, 0 payments reversed")
}
