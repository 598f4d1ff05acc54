package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/services/notifier"
)

// heldUp is a shop's system that gives no answer until it is closed.
type heldUp chan struct{}

func (h heldUp) Deliver(ctx context.Context, _ commerce.Notice) commerce.Result {
	select {
	case <-h:
	case <-ctx.Done():
	}
	return commerce.Result{Status: commerce.Delivered, Code: 200}
}

// TestDoctorSeesThatNoNotifierRuns: events that wait are a failure without a notifier, and none where one waits for a silent destination.
func TestDoctorSeesThatNoNotifierRuns(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	shop := connections.Connection{Webhooks: []connections.Webhook{{Name: "erp"}}}
	var d doctorCmd
	d.Connections = connections.File{Connections: map[string]connections.Connection{rig.Shop: shop}}
	expect := func(want level, what, mend string) {
		t.Helper()
		got := d.destinationFindings(t.Context(), r.Bus)
		if len(got) != 1 || got[0].Level != want || !strings.Contains(got[0].What, what) || !strings.Contains(got[0].Mend, mend) {
			t.Fatalf("%+v", got)
		}
	}
	consumers := notifier.Consumers(d.Connections)
	expect(fail, consumers[0].Name+" is not there", "seqrflow broker config --connections-file and reload first")
	if err := r.Bus.EnsureConsumers(t.Context(), consumers); err != nil {
		t.Fatal(err)
	}
	expect(ok, "1 destinations", "")

	const many = 70 // more than a notifier has in hand of one destination
	for i := range many {
		r.IssueDirectly(fmt.Sprint(i))
	}
	expect(fail, fmt.Sprintf("%d events wait for the consumer %s", many, consumers[0].Name), "seqrflow run notifier")
	shop.Webhooks = slices.Clone(shop.Webhooks)
	shop.Webhooks[0].Disabled = true
	running := d.Connections
	d.Connections = connections.File{Connections: map[string]connections.Connection{rig.Shop: shop}}
	expect(ok, "1 destinations", "") // a disabled destination keeps its events
	d.Connections = running

	silent := make(heldUp)
	goOn := sync.OnceFunc(func() { close(silent) })
	defer goOn()
	r.Run(notifier.New(notifier.Config{Bus: r.Bus, Log: r.Log, Destinations: []notifier.Destination{{Shop: rig.Shop, Name: "erp", Outbound: silent}}}))
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	state := func(ctx context.Context, c bus.Consumer) bus.ConsumerState {
		s, err := r.Bus.ConsumerState(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if missing := rig.Until(ctx, func(ctx context.Context) string {
		events, replays := state(ctx, consumers[0]), state(ctx, consumers[0].Replays())
		if events.Asking > 0 || replays.Asking == 0 {
			return fmt.Sprintf("%+v, replays %+v", events, replays)
		}
		return ""
	}); missing != "" {
		t.Fatal(missing)
	}
	expect(ok, "1 destinations", "")
}
