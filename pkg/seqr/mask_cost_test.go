package seqr

import (
	"strings"
	"testing"
)

// TestMaskingCostsNoMoreThanTheLength: what the provider says is masked after the call, with no deadline.
func TestMaskingCostsNoMoreThanTheLength(t *testing.T) {
	const size, factor, tooMuch = 6 << 10, 16, 96
	as := Terminal("till-1", `canary<&>"'ö-xyzzy`)
	m := call{as: &as}.masker("")
	for name, piece := range map[string]string{
		"secrets":            `canary<&>"'ö-xyzzy`,
		"beginnings":         "canary<",
		"references":         "&lt;",
		"ampersands":         "&",
		"letters":            "&a" + strings.Repeat("a", 100),
		"numeric references": "&#99;",
		"half references":    "&#",
	} {
		small, large := strings.Repeat(piece, size/len(piece)), strings.Repeat(piece, factor*size/len(piece))
		for _, cut := range []bool{false, true} {
			if ratio := costRatio(func() { m.mask(small, cut) }, func() { m.mask(large, cut) }, tooMuch); ratio > tooMuch {
				t.Errorf("%s: %d times the length costs %.0f times the time", name, factor, ratio)
			}
		}
	}
}
