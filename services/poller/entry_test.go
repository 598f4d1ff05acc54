package poller

import (
	"errors"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestEntryIsHandledByWhatTheStreamSaysOfItsInvoice(t *testing.T) {
	t.Parallel()
	invoice := func(s events.State, reference string) bus.Loaded {
		return bus.Loaded{Invoice: events.Invoice{State: s, InvoiceReference: reference}, Seq: 7}
	}
	foreign, nothing := bus.Loaded{Seq: 7}, bus.Loaded{}
	for _, c := range []struct {
		name string
		inv  bus.Loaded
		err  error
		age  time.Duration
		want entryAction
	}{
		{"issued", invoice(events.Issued, "ref"), nil, 0, pollEntry},
		{"reserved", invoice(events.Reserved, "ref"), nil, 0, pollEntry},
		{"canceled, but a payment may have come before", invoice(events.Canceled, "ref"), nil, 0, pollEntry},
		{"expired", invoice(events.Expired, "ref"), nil, 0, pollEntry},
		{"failed", invoice(events.Failed, "ref"), nil, 0, pollEntry},
		{"canceled before there was an invoice", invoice(events.Canceled, ""), nil, 0, removeEntry},
		{"rejected", invoice(events.Rejected, ""), nil, 0, removeEntry},
		{"paid", invoice(events.Paid, "ref"), nil, 0, removeEntry},
		{"receipted", invoice(events.Receipted, "ref"), nil, 0, removeEntry},
		{"refunded", invoice(events.Refunded, "ref"), nil, 0, removeEntry},
		{"issued without a reference", invoice(events.Issued, ""), nil, 0, parkEntry},
		{"nothing yet", nothing, nil, time.Minute, awaitInvoice},
		{"nothing for long", nothing, nil, 2 * time.Hour, forgetEntry},
		{"nothing of ours yet", foreign, nil, time.Second, awaitInvoice},
		{"nothing of ours yet, for a while", foreign, nil, time.Minute, awaitInvoice},
		{"nothing but what is damaged or foreign", foreign, nil, 2 * time.Hour, parkEntry},
		{"a newer version", foreign, events.ErrNewerVersion, 2 * time.Hour, leaveToNewer},
		{"no broker", nothing, errors.New("timeout"), 2 * time.Hour, retryLoad},
	} {
		if got, _ := judgeEntry(c.inv, c.err, c.age); got != c.want {
			t.Errorf("%s: %d; want %d", c.name, got, c.want)
		}
	}
}

func TestKeyIsReadFromEntriesAndEvents(t *testing.T) {
	t.Parallel()
	want := events.Key{Shop: "acme", Invoice: "1"}
	for _, subject := range []string{"open.acme.1", "invoices.acme.1.issued", "invoices.acme.1.paid"} {
		if k, err := keyOf(subject); err != nil || k != want {
			t.Errorf("%s: %v, %v", subject, k, err)
		}
	}
	for _, subject := range []string{"open", "open.acme", "invoices.acme", "open.acme.1.2.3"} {
		if k, err := keyOf(subject); err == nil {
			t.Errorf("%s: %v", subject, k)
		}
	}
}

// Only a poller that has run for a while, or hears one that has, knows that an entry that comes again was held until lately.
func TestTimeWithoutAnyPollIsNeverUnderestimated(t *testing.T) {
	t.Parallel()
	b := &bus.Bus{}
	const age = time.Hour
	for name, c := range map[string]struct {
		ran, other  time.Duration
		redelivered bool
		want        time.Duration
	}{
		"never delivered before":                       {ran: time.Hour, want: age},
		"after a start, nobody else is there":          {redelivered: true, want: age},
		"after a start, the others have just started":  {redelivered: true, other: time.Second / 2, want: age},
		"after a start, another has run all the while": {redelivered: true, other: time.Hour, want: b.AckWait()},
		"this copy has run all the while":              {redelivered: true, ran: time.Hour, want: b.AckWait()},
	} {
		p := &Worker{started: time.Now().Add(-c.ran - time.Millisecond), roll: &watching.Pollers{}}
		p.Bus = b
		p.roll.Note(watching.Announcement{ID: "other", Up: c.other.Seconds()}, time.Now())
		if c.other == 0 {
			p.roll.Note(watching.Announcement{ID: "other", Leaving: true}, time.Now())
		}
		l := &bus.Lease{}
		l.Redelivered = c.redelivered
		if got := p.longestSilence(l, age); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
