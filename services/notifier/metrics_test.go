package notifier

import (
	"context"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type answers commerce.Result

func (a answers) Deliver(context.Context, commerce.Notice) commerce.Result { return commerce.Result(a) }

// TestAnEventThatAnotherCopyHasEndedDoesNotWait: else the metric says for ever of an event that was told that it waits.
func TestAnEventThatAnotherCopyHasEndedDoesNotWait(t *testing.T) {
	t.Parallel()
	f := rig.New(t, sandbox.Config{})
	conns := connections.File{Connections: map[string]connections.Connection{rig.Shop: {Webhooks: []connections.Webhook{{Name: "erp"}}}}}
	if err := f.Bus.EnsureConsumers(t.Context(), Consumers(conns)); err != nil {
		t.Fatal(err)
	}
	f.Record(rig.Recorded{ID: "1", Reference: "ref-1", Unindexed: true, Unhinted: true})
	seq, err := f.Bus.LastEventSeq(t.Context(), events.KeyOf(rig.Shop, "1"), events.EventIssued)
	if err != nil {
		t.Fatal(err)
	}
	d := Destination{Shop: rig.Shop, Name: "erp"}
	tried := New(Config{Bus: f.Bus, Log: f.Log, Destinations: []Destination{d}})
	oldest := func() float64 {
		tried.lookAtBacklog(t.Context(), d)
		return tried.metrics.oldestOf(d, time.Now()).Seconds()
	}
	hourAgo := time.Now().Add(-time.Hour)
	tried.metrics.attempted(d, events.DeliveryAttempt{Sequence: seq, EventAt: hourAgo, Status: events.DeliveryAgain})
	if got := oldest(); got < time.Hour.Seconds() {
		t.Errorf("%v s while it waits", got)
	}
	f.Run(New(Config{Bus: f.Bus, Log: f.Log, Destinations: []Destination{{Shop: rig.Shop, Name: "erp", Outbound: answers{Status: commerce.Delivered}}}}))
	f.Idle()
	if got := oldest(); got != 0 {
		t.Errorf("%v s after another copy has told it", got)
	}
	tried.metrics.attempted(d, events.DeliveryAttempt{Sequence: seq, EventAt: hourAgo, Status: events.DeliveryAgain, Resent: true})
	if got := oldest(); got < time.Hour.Seconds() {
		t.Errorf("%v s while it is told once more", got)
	}
}
