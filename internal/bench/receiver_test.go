package bench

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestAReceiverCountsWhatIsOutOfOrderRepeatedOrMissing(t *testing.T) {
	for _, c := range []struct {
		name, took                 string // "<invoice><step>"
		told, outOfOrder, repeated int
	}{
		{"in order, two invoices at once", "a0 b0 a1 b1 b2 a2", 6, 0, 0},
		{"each twice", "a0 a0 a1 a1", 2, 0, 2},
		{"an earlier one again", "a0 a1 a0 a2", 3, 0, 1},
		{"an earlier one late", "a0 a2 a1", 3, 1, 0},
		{"the first one never", "a1 a2", 2, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &receiver{invoices: map[string]told{}}
			for _, e := range strings.Fields(c.took) {
				body := `{"type":"` + events.TypeOf("invoice."+string(life[e[1]-'0'])) + `","subject":"shop/` + e[:1] + `"}`
				if err := r.take([]byte(body)); err != nil {
					t.Fatal(err)
				}
			}
			if n, out, again := r.counts(); n != c.told || out != c.outOfOrder || again != c.repeated {
				t.Errorf("told of %d, %d out of order, %d repeated; want %+v", n, out, again, c)
			}
			if err := r.waitFor(t.Context(), c.told); err != nil {
				t.Error(err)
			}
			ended, end := context.WithCancel(t.Context())
			end()
			if err := r.waitFor(ended, c.told+2); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "2 of ") {
				t.Errorf("two are missing: %v", err)
			}
		})
	}
}
