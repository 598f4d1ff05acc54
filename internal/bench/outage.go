package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/invoicer"
)

// Outage measures what is tried while the provider gives no answer and many orders wait, and how fast they are issued afterwards.
type Outage struct {
	Folder
	Waiting int `default:"14000" min:"1" help:"Orders that wait (${default})."`
	Seconds int `default:"60" min:"1" help:"How long the provider is silent (${default})."`
}

// Help says what is measured.
func (Outage) Help() string {
	return `Orders wait, and the provider takes connections and never answers. Printed is how many sendInvoice calls and probes a second are made meanwhile; then the provider answers again, and printed is when the first invoice is there, how many a second follow, and how many calls were under way at once.`
}

// OutageResult is what Outage measures.
type OutageResult struct {
	Waiting  int     `json:"ordersWaiting"`
	Attempts float64 `json:"sendInvoicePerSecondDuringOutage"`
	Probes   float64 `json:"probesPerSecondDuringOutage"`
	First    float64 `json:"secondsToFirstInvoice"` // from when the provider answers again
	All      float64 `json:"secondsToLastInvoice"`
	PerSec   float64 `json:"invoicesPerSecondAfter"`
	AtOnce   int     `json:"mostCallsAtOnceAfter"`
	Memory
}

func (r OutageResult) String() string {
	return fmt.Sprintf(`while it is silent  %.2f sendInvoice and %.2f probes a second, %d orders waiting
afterwards          first invoice after %.1f s, then %.0f a second, %d calls at once at most; all after %.1f s
memory              %s`, r.Attempts, r.Probes, r.Waiting, r.First, r.PerSec, r.AtOnce, r.All, r.Memory)
}

// Run measures.
func (o Outage) Run(ctx context.Context, cfg Config) (r OutageResult, err error) {
	err = o.measure(ctx, cfg, o.Waiting, seconds(o.Seconds), alone, func(ctx context.Context, f *fixture) (err error) {
		run := &outage{Outage: o, fixture: f}
		if run.provider, err = newSilentProvider(f.Client, func(string) bool { return !run.answers.Load() }); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, run.provider.close()) }()
		f.say("placing %d orders", o.Waiting)
		if err := each(ctx, o.Waiting, atOnce, func(ctx context.Context, i int) error { return f.place(ctx, shop, i) }); err != nil {
			return err
		}
		w := invoicer.New(invoicer.Config{Bus: f.Bus, Provider: run.provider, Shops: shops(), ValidFor: validFor, Log: f.Log})
		err = while(ctx, run.play, w.Run)
		r = run.result
		r.Memory = f.heap.end()
		return err
	})
	return r, err
}

// outage is one run.
type outage struct {
	Outage
	*fixture
	provider *silentProvider
	answers  atomic.Bool // the provider answers
	result   OutageResult
}

func (r *outage) play(ctx context.Context) error {
	r.say("the provider is silent for %d s", r.Seconds)
	if err := waitFor(ctx, seconds(r.Seconds)); err != nil {
		return err
	}
	out := &r.result
	perSecond := func(n *atomic.Int64) float64 { return float64(n.Load()) / float64(r.Seconds) }
	out.Waiting, out.Attempts, out.Probes = r.Waiting, perSecond(&r.provider.sent), perSecond(&r.provider.probes)
	r.say("the provider answers; until now %.2f sendInvoice and %.2f probes a second", out.Attempts, out.Probes)
	var begun, first time.Time
	issued := 0
	err := r.follow(ctx, []events.Name{events.EventIssued}, func(events.Address) error {
		if issued++; issued == 1 {
			first = time.Now()
		}
		if issued < r.Waiting {
			return nil
		}
		return bus.ErrStop
	}, func(context.Context) error {
		r.provider.mostAtOnce.Store(0)
		begun = time.Now()
		r.answers.Store(true)
		return nil
	})
	if issued > 0 {
		out.First = first.Sub(begun).Seconds()
	}
	out.All, out.AtOnce = time.Since(begun).Seconds(), int(r.provider.mostAtOnce.Load())
	if out.All > out.First {
		out.PerSec = float64(r.Waiting) / (out.All - out.First)
	}
	return err
}
