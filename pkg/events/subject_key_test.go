package events_test

import (
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// People name an invoice by its ids, as lists show them, or by the tokens of its subjects.
func TestAKeyIsReadFromIDsAndFromTokens(t *testing.T) {
	long := strings.Repeat("å", 100)
	for _, id := range []string{"1001", "10/01 b", "x-12", "x-abc", "X-12", "x-", long, "x-" + strings.Repeat("1", 80)} {
		for _, shop := range []string{"acme", "my shop", "x-1"} {
			want := events.KeyOf(shop, id)
			for _, text := range []string{shop + "/" + id, want.Shop + "/" + id, want.String()} {
				if got, err := events.ParseKey(text); err != nil || got != want {
					t.Errorf("%q: %v, %v; expected %v", text, got, err, want)
				}
			}
		}
	}
}
