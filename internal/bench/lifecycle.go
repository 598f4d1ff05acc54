package bench

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Lifecycle measures orders from `placed` to `receipted`: each becomes an invoice, its buyer pays as soon as it is issued, and the
// receipt is sent.
type Lifecycle struct {
	Folder
	Orders int `default:"3000" min:"1" help:"How many orders (${default})."`
	Rate   int `default:"0" min:"0" help:"Orders a second; 0 is as fast as they are taken."`
}

// LifecycleResult is what Lifecycle measures. Latency runs from the placing of an order (at a given rate: from
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

func (r LifecycleResult) String() string {
	cpu := ""
	if r.CPU > 0 {
		cpu = fmt.Sprintf("\nprocessor           %.2f ms an order, provider and broker included", r.CPU)
	}
	return fmt.Sprintf(`orders → RECEIPTED  %.0f a second (%d in %.1f s, placed in %.1f s)
each order          %s%s
memory              %s
append with fsync   %s`, r.PerSec, r.Orders, r.Seconds, r.PlacedIn, r.Latency, cpu, r.Memory, r.Disk)
}

// Run measures.
func (l Lifecycle) Run(ctx context.Context, cfg Config) (r LifecycleResult, err error) {
	var extra time.Duration
	if l.Rate > 0 {
		extra = seconds(l.Orders) / time.Duration(l.Rate)
	}
	err = l.measure(ctx, cfg, l.Orders, extra, targets(app.All), func(ctx context.Context, f *fixture) error {
		f.say("everything runs; an append with fsync takes %s", f.disk)
		run := &lifecycle{Lifecycle: l, fixture: f, placed: make([]time.Time, l.Orders), receipted: make([]time.Time, l.Orders), unpaid: make(chan string, l.Orders)}
		cpu := cpuTime(os.Getpid())
		if err := run.play(ctx); err != nil {
			return err
		}
		cpu = cpuTime(os.Getpid()) - cpu
		r = run.result()
		r.CPU, r.Disk, r.Memory = cpu.Seconds()*1000/float64(l.Orders), f.disk, f.heap.end()
		return f.verify(ctx, l.Orders)
	})
	return r, err
}

// lifecycle is one run.
type lifecycle struct {
	Lifecycle
	*fixture
	unpaid    chan string // orders whose invoice was issued; it has room for all
	placed    []time.Time // by the order's number
	receipted []time.Time
	done      int
	allPlaced time.Time
}

func (r *lifecycle) play(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(r.unpaid)
		return r.follow(ctx, []events.Name{events.EventIssued, events.EventReceipted}, r.onEvent, r.placeAll)
	})
	for range atOnce {
		g.Go(func() error {
			for id := range r.unpaid {
				if err := r.pay(id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	if err == nil && r.done < r.Orders {
		err = fmt.Errorf("only %d of %d orders were receipted", r.done, r.Orders)
	}
	return err
}

// placeAll places the orders, at the rate or as fast as they are taken.
func (r *lifecycle) placeAll(ctx context.Context) error {
	place := func(ctx context.Context, i int, due time.Time) error {
		r.placed[i] = due
		return r.place(ctx, shop, i)
	}
	var err error
	if r.Rate > 0 {
		err = atRate(ctx, r.Orders, r.Rate, place)
	} else {
		err = each(ctx, r.Orders, atOnce, func(ctx context.Context, i int) error { return place(ctx, i, time.Now()) })
	}
	r.allPlaced = time.Now()
	return err
}

// onEvent has the buyer of an issued invoice pay, and notes when an order was receipted.
func (r *lifecycle) onEvent(a events.Address) error {
	if a.Event == string(events.EventIssued) {
		r.unpaid <- a.ID
		return nil
	}
	i, err := strconv.Atoi(a.ID)
	if err != nil {
		return err
	}
	r.receipted[i] = time.Now()
	if r.done++; r.done%1000 == 0 {
		r.say("%d of %d orders receipted", r.done, r.Orders)
	}
	if r.done == r.Orders {
		return bus.ErrStop
	}
	return nil
}

func (r *lifecycle) result() LifecycleResult {
	first, last := r.placed[0], r.receipted[0]
	all := make([]time.Duration, r.Orders)
	for i, at := range r.placed {
		if at.Before(first) {
			first = at
		}
		if r.receipted[i].After(last) {
			last = r.receipted[i]
		}
		all[i] = r.receipted[i].Sub(at)
	}
	took := last.Sub(first).Seconds()
	return LifecycleResult{
		Orders: r.Orders, Rate: r.Rate, Seconds: took, PerSec: float64(r.Orders) / took,
		PlacedIn: r.allPlaced.Sub(first).Seconds(), Latency: quantiles(all),
	}
}
