package orderapi

import (
	"context"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// An event of the order that comes between the decision to publish and the publishing makes the decision anew.
func TestAnEventThatComesInBetweenIsDecidedOn(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	a := &API{Config: Config{Bus: r.Bus, Log: r.Log}}
	decisions := 0
	added, err := a.publishOnce(t.Context(), rig.Shop, "1001", events.OrderCanceled, events.Cancellation{OrderID: "1001", Shop: rig.Shop},
		func(_ context.Context, history []bus.Entry) (known bool, err error) {
			if decisions++; decisions == 1 {
				r.Place(rig.Order("1001", "10"))
			}
			return len(history) > 0, nil
		})
	if err != nil || added || decisions != 2 {
		t.Errorf("published: %t, after %d decisions, %v; want none, after a second decision", added, decisions, err)
	}
}
