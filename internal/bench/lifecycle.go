package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Lifecycle measures whole lives: an order is placed, becomes a bill, its buyer pays as soon as there
// is a QR code, and the receipt is sent.
type Lifecycle struct {
	Config
	Orders int
	Rate   int // orders a second; 0 is as fast as they are taken
}

// LifecycleResult is what came of it. Latency runs from the placing of an order (at a given rate: from
// when it was due) to its `receipted` event.
type LifecycleResult struct {
	Orders   int       `json:"orders"`
	Rate     int       `json:"rate"` // that was asked for, 0: as fast as possible
	Seconds  float64   `json:"seconds"`
	PerSec   float64   `json:"ordersPerSecond"` // from the first order placed to the last receipted
	PlacedIn float64   `json:"placedInSeconds"`
	CPU      float64   `json:"cpuMillisecondsPerOrder"` // of the whole process, provider and broker included
	Latency  Quantiles `json:"orderToReceipted"`
	Disk     Quantiles `json:"fsync"`
	Memory
}

const (
	shopsAtOnce  = 64 // orders being placed at the same time
	buyersAtOnce = 64 // buyers paying at the same time
	// patience is how long a measurement may take beyond what it is set to.
	patience = 2 * time.Minute
	// slowest is the rate below which a measurement is given up.
	slowest = 20
)

var errTooLong = errors.New("not everything has ended in time")

// Run measures.
func (l Lifecycle) Run(ctx context.Context) (r LifecycleResult, err error) {
	limit := patience + time.Duration(l.Orders)*time.Second/slowest
	if l.Rate > 0 {
		limit += time.Duration(l.Orders) * time.Second / time.Duration(l.Rate)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	w, ctx, err := build(ctx, l.Config, app.All)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	l.say("everything runs; an append with fsync takes %s", w.disk)
	heap := watchHeap(ctx)
	run := &lives{Lifecycle: l, stand: w, placed: make([]time.Time, l.Orders), ended: make([]time.Time, l.Orders), buyers: make(chan string, l.Orders)}
	cpu := cpuTime(self)
	err = run.play(ctx)
	cpu = cpuTime(self) - cpu
	memory := heap.end()
	if err != nil {
		return r, cause(ctx, err)
	}
	r = run.result()
	r.CPU, r.Disk, r.Memory = cpu.Seconds()*1000/float64(l.Orders), w.disk, memory
	return r, verify(w.Sandbox().Ledger(), l.Orders, l.Orders)
}

// lives of all orders. The times of an order belong to one goroutine at a time.
type lives struct {
	Lifecycle
	*stand
	mu     sync.Mutex
	placed []time.Time // by the order's number
	ended  []time.Time
	done   int
	last   time.Time // an order was placed
	buyers chan string
}

func (r *lives) play(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	ready := make(chan struct{})
	g.Go(func() error {
		defer close(r.buyers)
		return r.Bus().Follow(ctx, []bus.Source{{
			Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.issued", "invoices.*.*.receipted"}, All: true,
		}}, func() { close(ready) }, r.take)
	})
	g.Go(func() error {
		select {
		case <-ready:
			return r.shopping(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	for range buyersAtOnce {
		g.Go(func() error {
			for order := range r.buyers {
				if err := r.Sandbox().Pay(r.bills.reference(order)); err != nil {
					return fmt.Errorf("the buyer of order %s: %w", order, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if r.done < len(r.placed) {
		return fmt.Errorf("only %d of %d orders were receipted", r.done, len(r.placed))
	}
	return nil
}

// shopping places the orders, at the rate or as fast as they are taken.
func (r *lives) shopping(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(shopsAtOnce)
	begun := time.Now()
	for i := range r.placed {
		due := time.Now()
		if r.Rate > 0 {
			due = begun.Add(time.Duration(i) * time.Second / time.Duration(r.Rate))
			if !until(ctx, due) {
				break
			}
		}
		g.Go(func() error {
			if r.Rate == 0 {
				due = time.Now()
			}
			r.mu.Lock()
			r.placed[i] = due
			r.mu.Unlock()
			return place(ctx, r.Bus(), shop, strconv.Itoa(i))
		})
	}
	err := g.Wait()
	r.mu.Lock()
	r.last = time.Now()
	r.mu.Unlock()
	return err
}

// take hears an event: a bill is issued and its buyer pays, or a life is over.
func (r *lives) take(e bus.Entry) error {
	a, err := events.ParseSubject(e.Subject)
	if err != nil {
		return err
	}
	if a.Event == string(events.EventIssued) {
		r.buyers <- a.ID // has room for all
		return nil
	}
	i, err := strconv.Atoi(a.ID)
	if err != nil {
		return fmt.Errorf("order %q is none of ours", a.ID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended[i] = time.Now()
	if r.done++; r.done%1000 == 0 {
		r.say("%d of %d orders receipted", r.done, len(r.ended))
	}
	if r.done == len(r.ended) {
		return bus.ErrStop
	}
	return nil
}

func (r *lives) result() LifecycleResult {
	first, last := r.placed[0], r.ended[0]
	all := make([]time.Duration, len(r.placed))
	for i, at := range r.placed {
		if at.Before(first) {
			first = at
		}
		if r.ended[i].After(last) {
			last = r.ended[i]
		}
		all[i] = r.ended[i].Sub(at)
	}
	took := last.Sub(first).Seconds()
	return LifecycleResult{
		Orders: len(all), Rate: r.Rate, Seconds: took, PerSec: float64(len(all)) / took,
		PlacedIn: r.last.Sub(first).Seconds(), Latency: quantiles(all),
	}
}

// until waits for an instant; false means that ctx ended first.
func until(ctx context.Context, at time.Time) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
