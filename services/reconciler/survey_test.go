package reconciler_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

// closePeriod records the closing of a terminal's period up to now.
func closePeriod(t *testing.T, b *bus.Bus, period, terminal string, differences int) {
	t.Helper()
	fact := events.Fact{At: b.Now(), Why: "test"}
	last, err := b.LastSeq(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func(events.Period) (events.Period, error){
		func(p events.Period) (events.Period, error) { return p.ClosingAsked("acme", period, "operator", fact) },
		func(p events.Period) (events.Period, error) { return p.Marking(terminal, last, fact) },
		func(p events.Period) (events.Period, error) {
			return p.MarkedAs(events.Marked{TransactionPeriodID: period}, fact)
		},
		func(p events.Period) (events.Period, error) {
			return p.Compared(events.Comparison{Differences: differences}, fact)
		},
	} {
		if _, err := b.UpdatePeriod(t.Context(), "reconciler", events.PeriodKeyOf("acme", period), step); err != nil {
			t.Fatal(err)
		}
	}
}

// A survey knows which refunds are in doubt, which payments are in no compared period, and how each terminal's last one ended.
func TestSurveyFindsMoneyThatNeedsAPerson(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	later, err := bus.Connect(t.Context(), bus.Config{Name: "later", Options: []nats.Option{r.NATS.InProcess()}, Log: r.Log,
		Now: func() time.Time { return time.Now().Add(reconciler.ClosingDue + time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(later.Close)
	var s reconciler.Survey
	expect := func(when string, doubts int, notClosed, state string) {
		t.Helper()
		if err := s.Read(t.Context(), later); err != nil {
			t.Fatal(err)
		}
		inDoubt, err := s.Refunds(t.Context(), later)
		if err != nil || len(inDoubt) != doubts {
			t.Errorf("%s: %d refunds in doubt, %v; want %d", when, len(inDoubt), err, doubts)
		}
		late, err := s.NotClosed(t.Context(), later)
		if err != nil || fmt.Sprint(late) != notClosed {
			t.Errorf("%s: in no period: %v, %v; want %s", when, late, err, notClosed)
		}
		if got := string(s.Compared["demo-terminal"].State); got != state {
			t.Errorf("%s: the last period is %s; want %s", when, got, state)
		}
	}
	fact := events.Fact{At: r.Bus.Now(), Why: "test"}
	key := func(id string) events.Key { return events.KeyOf(rig.Shop, id) }
	sell := func(id string) {
		r.Record(rig.Recorded{ID: id, Reference: "ref-" + id})
		rig.AppendEvents(t, r.Bus, key(id), func(inv events.Invoice) (events.Invoice, error) { return inv.PaidWith("ers-"+id, "poller", fact) })
	}
	expect("at first", 0, "map[]", "")
	sell("1")
	expect("after a payment", 0, "map[acme:demo-terminal]", "")
	closePeriod(t, r.Bus, "p1", "demo-terminal", 0)
	expect("after a closing", 0, "map[]", "RECONCILED")
	if s.Agreed["demo-terminal"].IsZero() {
		t.Error("it is not known when the terminal's period agreed")
	}
	sell("2")
	expect("after another payment", 0, "map[acme:demo-terminal]", "RECONCILED")
	closePeriod(t, r.Bus, "p2", "demo-terminal", 3)
	expect("after a closing with differences", 0, "map[]", "MISMATCHED")
	rig.AppendEvents(t, r.Bus, key("1"), func(inv events.Invoice) (events.Invoice, error) {
		return inv.Refunding(events.Refund{RefundID: "r1", Amount: rig.Amount("5")}, fact)
	}, func(inv events.Invoice) (events.Invoice, error) { return inv.RefundInDoubt("r1", fact) })
	rig.AppendEvents(t, r.Bus, key("1"), func(inv events.Invoice) (events.Invoice, error) {
		return inv.Refunding(events.Refund{RefundID: "r2", Amount: rig.Amount("1")}, fact)
	}, func(inv events.Invoice) (events.Invoice, error) { return inv.RefundedAs("r2", "ref-r2", fact) })
	expect("after a refund whose outcome is unknown", 1, "map[]", "MISMATCHED")
	rig.AppendEvents(t, r.Bus, key("1"), func(inv events.Invoice) (events.Invoice, error) { return inv.RefundSettled("r1", true, "ref-r1", fact) })
	expect("after it is settled", 0, "map[]", "MISMATCHED")
	rig.AppendEvents(t, r.Bus, key("2"), func(inv events.Invoice) (events.Invoice, error) {
		return inv.Refunding(events.Refund{RefundID: "r1", Amount: rig.Amount("5")}, fact)
	}, func(inv events.Invoice) (events.Invoice, error) { return inv.RefundNotSent("r1", 1, fact) })
	expect("after a refund that waits", 1, "map[]", "MISMATCHED")
	rig.AppendEvents(t, r.Bus, key("2"), func(inv events.Invoice) (events.Invoice, error) {
		return inv.Refunding(events.Refund{RefundID: "r2", Amount: rig.Amount("1")}, fact)
	}, func(inv events.Invoice) (events.Invoice, error) { return inv.RefundedAs("r2", "ref-2-r2", fact) })
	expect("after another refund of the invoice that waits", 1, "map[]", "MISMATCHED")
	rig.AppendEvents(t, r.Bus, key("2"), func(inv events.Invoice) (events.Invoice, error) { return inv.RefundSettled("r1", false, "", fact) })
	expect("after the one that waited is settled", 0, "map[]", "MISMATCHED")
}

// The reconciler's gauges say the same.
func TestReconcilerCountsRefundsInDoubt(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	fact := events.Fact{At: r.Bus.Now(), Why: "test"}
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	rig.AppendEvents(t, r.Bus, events.KeyOf(rig.Shop, "1"),
		func(inv events.Invoice) (events.Invoice, error) { return inv.PaidWith("ers", "poller", fact) },
		func(inv events.Invoice) (events.Invoice, error) {
			return inv.Refunding(events.Refund{RefundID: "r1", Amount: rig.Amount("5")}, fact)
		},
		func(inv events.Invoice) (events.Invoice, error) { return inv.RefundInDoubt("r1", fact) })
	closePeriod(t, r.Bus, "p1", "demo-terminal", 2)
	reg := prometheus.NewRegistry()
	r.Run(reconciler.New(reconciler.Config{Bus: r.Bus, Provider: r.Client, Shops: shops{}, Metrics: reg, Log: r.Log}))
	want := map[string]float64{"seqrflow_refunds_in_doubt": 1, "seqrflow_period_mismatched": 1}
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	if missing := rig.Until(ctx, func(context.Context) string {
		families, err := reg.Gather()
		if err != nil {
			return err.Error()
		}
		for _, f := range families {
			if v, ok := want[f.GetName()]; ok && f.GetMetric()[0].GetGauge().GetValue() == v {
				delete(want, f.GetName())
			}
		}
		if len(want) > 0 {
			return fmt.Sprint("never so: ", want)
		}
		return ""
	}); missing != "" {
		t.Error(missing)
	}
}
