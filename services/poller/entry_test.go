package poller

import (
	"errors"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestEntryIsJudgedByWhatTheStreamSays(t *testing.T) {
	invoice := func(s events.State, reference string) bus.Loaded {
		return bus.Loaded{Invoice: events.Invoice{State: s, InvoiceReference: reference}, Seq: 7}
	}
	foreign, nothing := bus.Loaded{Seq: 7}, bus.Loaded{}
	for _, c := range []struct {
		name string
		inv  bus.Loaded
		err  error
		age  time.Duration
		want disposition
	}{
		{"issued", invoice(events.Issued, "ref"), nil, 0, toPoll},
		{"reserved", invoice(events.Reserved, "ref"), nil, 0, toPoll},
		{"canceled, but a payment may have come before", invoice(events.Canceled, "ref"), nil, 0, toPoll},
		{"expired", invoice(events.Expired, "ref"), nil, 0, toPoll},
		{"failed", invoice(events.Failed, "ref"), nil, 0, toPoll},
		{"canceled before there was an invoice", invoice(events.Canceled, ""), nil, 0, toFinish},
		{"rejected", invoice(events.Rejected, ""), nil, 0, toFinish},
		{"paid", invoice(events.Paid, "ref"), nil, 0, toFinish},
		{"receipted", invoice(events.Receipted, "ref"), nil, 0, toFinish},
		{"refunded", invoice(events.Refunded, "ref"), nil, 0, toFinish},
		{"issued without a reference", invoice(events.Issued, ""), nil, 0, toPark},
		{"nothing yet", nothing, nil, time.Minute, toPrepare},
		{"nothing for long", nothing, nil, 2 * time.Hour, toForget},
		{"nothing of ours yet", foreign, nil, time.Second, toPrepare},
		{"nothing of ours yet, for a while", foreign, nil, time.Minute, toPrepare},
		{"nothing but what is damaged or foreign", foreign, nil, 2 * time.Hour, toPark},
		{"a newer version", foreign, events.ErrNewerVersion, 2 * time.Hour, toNewer},
		{"no broker", nothing, errors.New("timeout"), 2 * time.Hour, toRetry},
	} {
		if got, _ := judge(c.inv, c.err, c.age); got != c.want {
			t.Errorf("%s: %d; want %d", c.name, got, c.want)
		}
	}
}

func TestKeyIsReadFromEntriesAndEvents(t *testing.T) {
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

func TestBalance(t *testing.T) {
	now := time.Unix(1000, 0)
	b := balance{id: "me", roll: &watching.Pollers{}, refused: map[uint64]time.Time{}, shed: map[uint64]time.Time{}}
	if n := b.excess(5000, now); n != 0 || !b.accept(1, 5000, now) {
		t.Errorf("the only copy gives %d back", n)
	}
	tell := func(held int, serves string) {
		now = now.Add(time.Second)
		b.roll.Note(watching.Announcement{ID: "other", Held: held, Serves: serves}, now)
	}
	tell(0, "other shops")
	if n := b.excess(5000, now); n != 0 {
		t.Errorf("a copy that serves other shops is given %d", n)
	}
	tell(0, "")
	if b.accept(2, 5000, now) {
		t.Error("a copy with far too much takes more")
	}
	if !b.accept(2, 5000, now) {
		t.Error("an entry that nobody else took is refused again")
	}
	mine, theirs, seconds := 1000, 0, 0
	for n := b.excess(mine, now); n > 0; n = b.excess(mine, now) {
		if n > mine/10 {
			t.Fatalf("%d of %d given back in a second", n, mine)
		}
		mine, theirs, seconds = mine-n, theirs+n, seconds+1
		tell(theirs, "")
	}
	if mine-theirs > 2 || theirs > mine || seconds > 15 {
		t.Errorf("%d and %d after %d s", mine, theirs, seconds)
	}
	b.noteShed(3, now)
	if !b.cameBack(3, now.Add(time.Second)) || b.cameBack(3, now.Add(time.Second)) {
		t.Error("an entry that came back at once is to be kept, once")
	}
	now = now.Add(10 * time.Second) // the other copy died
	if n := b.excess(5000, now); n != 0 || !b.accept(4, 5000, now) {
		t.Errorf("%d given back to a dead copy", n)
	}
}
