package bus_test

import (
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a.b", "a.b", true}, {"a.*", "a.b", true}, {"a.>", "a.b", true}, {"a.>", "a.b.c", true}, {"a.>", "a.>", true}, {"a.>", "a.*", true}, {"a.*", "a.*", true}, {">", "a", true},
		{"a.b", "a.*", false}, {"a.*", "a.>", false}, {"a.>", "a", false}, {"a.*", "a", false}, {"a.*", "a.b.c", false}, {"a.b", "a", false}, {"a", "a.b", false}, {"a.*.c", "a.>", false},
	} {
		if got := bus.Covers(c.a, c.b); got != c.want {
			t.Errorf("Covers(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
