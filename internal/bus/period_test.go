package bus_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func ask(p events.Period) (events.Period, error) {
	return p.ClosingAsked("acme", "may 1", "operator", fact("end of day"))
}

// mark leads a period that was asked for to MARKED.
func mark(id string) []bus.DecidePeriod {
	return []bus.DecidePeriod{
		func(p events.Period) (events.Period, error) { return p.Marking("t1", 5, fact("attempt")) },
		func(p events.Period) (events.Period, error) {
			return p.MarkedAs(events.Marked{TransactionPeriodID: id}, fact("marked"))
		},
	}
}

func decide(t *testing.T, b *bus.Bus, k events.PeriodKey, steps ...bus.DecidePeriod) {
	t.Helper()
	for _, step := range steps {
		if _, err := b.UpdatePeriod(t.Context(), "reconciler", k, step); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPeriodIsLoadedAsItsLastEventHasIt(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	k := events.PeriodKeyOf("acme", "may 1")
	if l, err := b.LoadPeriod(t.Context(), k); err != nil || l.Seq != 0 || l.State != "" {
		t.Fatalf("a period that nobody asked for: %+v, %v", l, err)
	}
	decide(t, b, k, append([]bus.DecidePeriod{ask}, mark("P1")...)...)
	l, err := b.LoadPeriod(t.Context(), k)
	if err != nil || l.State != events.PeriodMarked || l.TransactionPeriodID != "P1" || l.Seq != 3 || l.Period.Period != "may 1" {
		t.Fatalf("loaded %+v, %v", l, err)
	}
}

func TestUnreadablePeriodIsTold(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	for i, body := range []string{"not JSON", `{"data":"text"}`, `{}`} {
		k := events.PeriodKeyOf("acme", fmt.Sprint(i))
		if err := b.PublishRaw(t.Context(), k.Subject("closing"), "", []byte(body)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.LoadPeriod(t.Context(), k); !errors.Is(err, events.ErrPeriodUnreadable) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
