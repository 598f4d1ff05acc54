package poller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// No poller runs for 25 s. What is found canceled then may have been paid and reversed, and every place says so.
func TestPaymentThatMayHaveBeenReversedIsTold(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	first := always(seqr.StatusIssued, nil)
	stop := r.Run(poller.New(config(r, first)))
	first.await(t, "ref", 2)
	stop()

	later, err := bus.Connect(t.Context(), bus.Config{Name: "later", Options: []nats.Option{r.NATS.InProcess()}, Log: r.Log,
		Now: func() time.Time { return time.Now().Add(25 * time.Second) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(later.Close)
	reg := prometheus.NewRegistry()
	cfg := config(r, always(seqr.StatusCanceled, nil))
	cfg.Bus, cfg.Metrics = later, reg
	second := poller.New(cfg)
	if n, ok := value(t, reg, "seqrflow_possible_reversals_total"); !ok || n != 0 {
		t.Errorf("the counter is %v (%v) before anything happened", n, ok)
	}
	stop = r.Run(second)
	inv := r.Wait("1", events.EventCanceled)
	stop()
	if s := inv.Change.SecondsWithoutAnswer; s < 24 || s > 120 {
		t.Errorf("%v seconds without an answer", s)
	}
	if !strings.Contains(inv.Reason, "CANCELED; no answer about it was had for") || !strings.Contains(inv.Change.Why, "reversed") {
		t.Errorf("reason %q, why %q", inv.Reason, inv.Change.Why)
	}
	if n, _ := value(t, reg, "seqrflow_possible_reversals_total"); n != 1 {
		t.Errorf("%v counted", n)
	}
	var marked []string
	if _, err := r.Bus.Scan(t.Context(), bus.Scan{Stream: events.InvoicesStream, HeadersOnly: true}, func(e bus.Entry) error {
		if len(e.Header[bus.GapHeader]) > 0 {
			marked = append(marked, e.Subject)
		}
		return nil
	}); err != nil || len(marked) != 1 || marked[0] != "invoices.acme.1.canceled" {
		t.Errorf("events that say so in their header: %v, %v", marked, err)
	}
}

// A buyer who declines is not a reversal.
func TestCanceledInvoiceThatWasPolledAllAlongIsNoPossibleReversal(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	reg := prometheus.NewRegistry()
	cfg := config(r, newProvider(func(_ context.Context, n int, _ seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
		if n < 3 {
			return seqr.PaymentStatus{Status: seqr.StatusIssued}, nil
		}
		return seqr.PaymentStatus{Status: seqr.StatusCanceled}, nil
	}))
	cfg.Metrics = reg
	r.Run(poller.New(cfg))
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	inv := r.Wait("1", events.EventCanceled)
	if inv.Change.SecondsWithoutAnswer != 0 || inv.Reason != "the provider says CANCELED" {
		t.Errorf("%+v", inv.Change)
	}
	if n, _ := value(t, reg, "seqrflow_possible_reversals_total"); n != 0 {
		t.Errorf("%v counted", n)
	}
}
