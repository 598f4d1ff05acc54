package bench

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/invoicer"
)

// Outage measures what is tried while the provider gives no answer and many orders wait, and how they are made up for.
type Outage struct {
	Config
	Waiting int // orders
	Seconds int // of silence
}

// OutageResult is what came of it.
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

// Run measures.
func (o Outage) Run(ctx context.Context) (r OutageResult, err error) {
	limit := patience + time.Duration(o.Waiting)*time.Second/slowest + time.Duration(o.Seconds)*time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	w, ctx, err := build(ctx, o.Config, "natsd", "sandbox", "gateway", "canceler")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	var up atomic.Bool
	p, err := newPartly(w.Client(), func(string) bool { return !up.Load() })
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	heap := watchHeap(ctx)
	r, err = o.play(ctx, w, p, &up)
	r.Memory = heap.end()
	return r, cause(ctx, err)
}

func (o Outage) play(ctx context.Context, w *stand, p *partly, up *atomic.Bool) (r OutageResult, err error) {
	o.say("placing %d orders", o.Waiting)
	placing, pctx := errgroup.WithContext(ctx)
	placing.SetLimit(shopsAtOnce)
	for i := range o.Waiting {
		placing.Go(func() error { return place(pctx, w.Bus(), shop, strconv.Itoa(i)) })
	}
	if err := placing.Wait(); err != nil {
		return r, err
	}
	g, ctx := errgroup.WithContext(ctx)
	working, stop := context.WithCancel(ctx)
	defer stop()
	g.Go(func() error {
		return invoicer.New(invoicer.Config{Bus: w.Bus(), Provider: p, Shops: shops(), ValidFor: 24 * time.Hour, Log: o.Log}).Run(working)
	})
	g.Go(func() error {
		defer stop()
		o.say("the provider is silent for %d s", o.Seconds)
		if !until(ctx, time.Now().Add(time.Duration(o.Seconds)*time.Second)) {
			return ctx.Err()
		}
		r.Waiting = o.Waiting
		r.Attempts, r.Probes = float64(p.sent.Load())/float64(o.Seconds), float64(p.probes.Load())/float64(o.Seconds)
		p.most.Store(0)
		o.say("the provider answers; until now %.2f sendInvoice and %.2f probes a second", r.Attempts, r.Probes)
		begun := time.Now()
		up.Store(true)
		return o.recover(ctx, w, p, begun, &r)
	})
	return r, g.Wait()
}

// recover waits until every order has its invoice.
func (o Outage) recover(ctx context.Context, w *stand, p *partly, begun time.Time, r *OutageResult) error {
	issued := 0
	err := w.Bus().Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.issued"}, All: true}}, nil, func(bus.Entry) error {
		if issued++; issued == 1 {
			r.First = time.Since(begun).Seconds()
		}
		if issued < o.Waiting {
			return nil
		}
		return bus.ErrStop
	})
	r.All, r.AtOnce = time.Since(begun).Seconds(), int(p.most.Load())
	if r.All > r.First {
		r.PerSec = float64(o.Waiting) / (r.All - r.First)
	}
	return err
}
