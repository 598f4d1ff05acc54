package bus_test

import (
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// TestEventIsAppendedOnlyByTheActorsOfItsTransition: the poller may record that an open invoice was canceled, and not that one was
// before there was an invoice; that is the canceler's.
func TestEventIsAppendedOnlyByTheActorsOfItsTransition(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	cancelUnseen := func(i events.Invoice) (events.Invoice, error) {
		return i.CanceledBeforeIssue(events.Cancellation{Shop: "acme", OrderID: "1"}, fact("off"))
	}
	cancel := func(i events.Invoice) (events.Invoice, error) {
		return i.EndedBy(events.EventCanceled, "poller", fact("canceled"))
	}
	for _, c := range []struct {
		actor, invoice string
		record         func(events.Invoice) (events.Invoice, error)
		may            bool
	}{
		{"poller", "1", cancelUnseen, false},
		{"operator", "1", cancelUnseen, false},
		{"canceler", "1", cancelUnseen, true},
		{"poller", "2", issue("acme", "2"), false},
		{"invoicer", "2", issue("acme", "2"), true},
		{"receipter", "2", cancel, false},
		{"poller", "2", cancel, true},
	} {
		k := events.KeyOf("acme", c.invoice)
		before, err := b.Load(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Update(t.Context(), c.actor, k, c.record)
		after, errLoad := b.Load(t.Context(), k)
		if errLoad != nil {
			t.Fatal(errLoad)
		}
		if (err == nil) != c.may || !c.may && (!strings.Contains(err.Error(), "is not for "+c.actor) || after.Seq != before.Seq) {
			t.Errorf("%s on %q by %s: %v, and message %d is the last after %d", after.Change.Event, before.State, c.actor, err, after.Seq, before.Seq)
		}
	}
}
