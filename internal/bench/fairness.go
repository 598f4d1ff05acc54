package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/govalues/decimal"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/invoicer"
)

// Fairness measures how long a healthy shop's orders take while other shops' terminals are silent, one shop has placed many
// orders at once and another a very large one.
type Fairness struct {
	Config
	Silent int // shops whose terminals give no answer, with four orders each
	Flood  int // orders that wait, of one shop
	Large  int // bytes of another shop's order
	Orders int // of the healthy shop
	Rate   int // of them a second
}

// FairnessResult is what came of it.
type FairnessResult struct {
	Silent  int       `json:"silentTerminals"`
	Flood   int       `json:"floodingOrders"`
	Large   int       `json:"largeOrderBytes"`
	Latency Quantiles `json:"healthyOrderToIssued"` // from when an order was due to its `issued` event at a subscriber
	Left    int       `json:"floodingOrdersLeft"`   // not issued yet when the last of the healthy shop's was
}

const (
	healthy  = "healthy"
	flooding = "flooding"
	large    = "large"
)

// Run measures.
func (f Fairness) Run(ctx context.Context) (r FairnessResult, err error) {
	limit := patience + time.Duration(f.Flood+f.Orders+4*f.Silent)*time.Second/slowest
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	w, ctx, err := build(ctx, f.Config, "natsd", "sandbox", "gateway", "canceler")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	p, err := newPartly(w.Client(), func(terminal string) bool { return strings.HasPrefix(terminal, "silent") })
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	run := &fair{Fairness: f, stand: w, provider: p, begun: make([]time.Time, f.Orders), took: make([]time.Duration, 0, f.Orders)}
	r, err = run.play(ctx)
	return r, cause(ctx, err)
}

type fair struct {
	Fairness
	*stand
	provider *partly
	mu       sync.Mutex
	begun    []time.Time // by the healthy order's number
	took     []time.Duration
	flooded  int
}

func (r *fair) play(ctx context.Context) (out FairnessResult, err error) {
	var silentShops []string
	for i := range r.Silent {
		silentShops = append(silentShops, fmt.Sprint("silent", i))
	}
	r.say("placing %d orders of shops with silent terminals, %d of one shop and one of %d bytes", 4*r.Silent, r.Flood, r.Large)
	if err := r.placeOthers(ctx, silentShops); err != nil {
		return out, err
	}
	g, ctx := errgroup.WithContext(ctx)
	working, stop := context.WithCancel(ctx)
	defer stop()
	g.Go(func() error {
		return invoicer.New(invoicer.Config{
			Bus: r.Bus(), Provider: r.provider, Shops: withTerminals(silentShops...), ValidFor: 24 * time.Hour, Log: r.Log,
		}).Run(working)
	})
	ready := make(chan struct{})
	g.Go(func() error {
		defer stop()
		return r.Bus().Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.issued"}, All: true}},
			func() { close(ready) }, r.take)
	})
	g.Go(func() error {
		select {
		case <-ready:
			return r.shopping(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	err = g.Wait()
	return FairnessResult{Silent: r.Silent, Flood: r.Flood, Large: r.Large, Latency: quantiles(r.took), Left: r.Flood - r.flooded}, err
}

// placeOthers has everything wait that may delay the healthy shop.
func (r *fair) placeOthers(ctx context.Context, silentShops []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(shopsAtOnce)
	for i := range 4 * len(silentShops) {
		g.Go(func() error { return place(ctx, r.Bus(), silentShops[i%len(silentShops)], strconv.Itoa(i)) })
	}
	for i := range r.Flood {
		g.Go(func() error { return place(ctx, r.Bus(), flooding, strconv.Itoa(i)) })
	}
	g.Go(func() error {
		return r.Bus().PublishOrder(ctx, "/seqrflow/bench", large, "1", large+"-1", events.Placed, largeOrder(r.Large))
	})
	return g.Wait()
}

// shopping places the healthy shop's orders, each when it is due.
func (r *fair) shopping(ctx context.Context) error {
	r.say("%d orders of the healthy shop, %d a second", r.Orders, r.Rate)
	begun := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range r.begun {
		due := begun.Add(time.Duration(i) * time.Second / time.Duration(r.Rate))
		if !until(ctx, due) {
			return ctx.Err()
		}
		r.mu.Lock()
		r.begun[i] = due
		r.mu.Unlock()
		g.Go(func() error { return place(ctx, r.Bus(), healthy, strconv.Itoa(i)) })
	}
	return g.Wait()
}

func (r *fair) take(e bus.Entry) error {
	a, err := events.ParseSubject(e.Subject)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch a.Shop {
	case flooding:
		r.flooded++
	case healthy:
		i, err := strconv.Atoi(a.ID)
		if err != nil {
			return err
		}
		if r.took = append(r.took, time.Since(r.begun[i])); len(r.took) == len(r.begun) {
			return bus.ErrStop
		}
	}
	return nil
}

// largeOrder has as many rows as fit into so many bytes.
func largeOrder(size int) events.Order {
	o := order(large, "1")
	row := o.Rows[0]
	row.Description = strings.Repeat("x", 200)
	rows := max(1, size/300)
	o.Rows = nil
	for range rows {
		o.Rows = append(o.Rows, row)
	}
	o.Total = events.AmountOf(decimal.MustNew(int64(rows)*9900, 2))
	return o
}
