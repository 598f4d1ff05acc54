package bus_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// What one invoice has is found by the links between its events; events that no worker wrote have none, and break the chain.
func TestScanOfOneInvoiceFindsWhatNoLinkLeadsTo(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	k := events.KeyOf("acme", "1")
	foreign := func(event string) {
		t.Helper()
		if err := b.PublishRaw(t.Context(), k.Subject(events.Name(event)), "", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Update(t.Context(), "invoicer", k, issue("acme", "1")); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		foreign("paid")
		if err := b.PublishRaw(t.Context(), "invoices.acme.2.paid", "", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	foreign("refunding")
	for name, c := range map[string]struct {
		scan bus.Scan
		want string
	}{
		"all of it":       {bus.Scan{Filters: []string{k.All()}}, "1 2 4 6 8 10"},
		"some kinds":      {bus.Scan{Filters: []string{k.Subject("issued"), k.Subject("paid")}}, "1 2 4 6 8"},
		"a part":          {bus.Scan{Filters: []string{k.All()}, From: 3, To: 8}, "4 6 8"},
		"of any shop":     {bus.Scan{Filters: []string{"invoices.*.1.*"}}, "1 2 4 6 8 10"},
		"two invoices":    {bus.Scan{Filters: []string{k.All(), "invoices.acme.2.*"}}, "1 2 3 4 5 6 7 8 9 10"},
		"one that is not": {bus.Scan{Filters: []string{"invoices.acme.3.*"}}, ""},
		"since tomorrow":  {bus.Scan{Filters: []string{k.All()}, Since: time.Now().Add(24 * time.Hour)}, ""},
	} {
		c.scan.Stream = events.InvoicesStream
		for _, c.scan.ByRequest = range []bool{false, true} {
			var got []string
			if _, err := b.Scan(t.Context(), c.scan, func(e bus.Entry) error {
				got = append(got, fmt.Sprint(e.Seq))
				return nil
			}); err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("%s, by request %v: %v (%v), expected %s", name, c.scan.ByRequest, got, err, c.want)
			}
		}
	}
}

func TestOpenParkedIsWhatWasNotReplayed(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	for n := range 3 {
		if err := b.PublishRaw(t.Context(), fmt.Sprintf("parked.refunder.acme.%d", n), "", []byte("unreadable")); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Replay(t.Context(), bus.ParkedMessage{On: "parked.refunder.acme.0", Parked: events.Parked{Worker: "refunder", Subject: "orders.acme.0.returned"}, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	open, err := b.OpenParked(t.Context())
	second, atErr := b.MessageAt(t.Context(), events.ParkedStream, 2)
	if err != nil || atErr != nil || len(open) != 2 || !open[0].Stored.Equal(second.Time) {
		t.Errorf("open are %+v (%v, %v)", open, err, atErr)
	}
}
