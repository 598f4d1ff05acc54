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
	Folder
	Silent int `default:"200" min:"0" help:"Shops whose terminals give no answer, with four orders each (${default})."`
	Flood  int `default:"10000" min:"0" help:"Orders of another shop that all wait when it begins (${default})."`
	Large  int `default:"700000" min:"1" help:"Bytes of a third shop's order (${default})."`
	Orders int `default:"200" min:"1" help:"Orders of the healthy shop (${default})."`
	Rate   int `default:"20" min:"1" help:"How many of these a second (${default})."`
}

// Help says what is measured.
func (Fairness) Help() string {
	return `One invoicer starts while orders of other shops wait: some of shops whose terminals take connections and never answer, many of one shop, one of the largest size. Then a healthy shop places orders. Printed is how long each of these takes from when it was due to its "issued" event at a subscriber. The healthy shop, the flood and the large order share one terminal.`
}

// FairnessResult is what Fairness measures.
type FairnessResult struct {
	Silent  int       `json:"silentTerminals"`
	Flood   int       `json:"floodingOrders"`
	Large   int       `json:"largeOrderBytes"`
	Latency Quantiles `json:"healthyOrderToIssued"` // from when an order was due to its `issued` event at a subscriber
	Left    int       `json:"floodingOrdersLeft"`   // not issued yet when the last of the healthy shop's was
}

func (r FairnessResult) String() string {
	return fmt.Sprintf(`beside              %d silent terminals, %d orders at once of another shop, an order of %d bytes
order → issued      %s (%d orders of the healthy shop)
of the flood        %d were not issued yet at the end`, r.Silent, r.Flood, r.Large, r.Latency, r.Latency.Count, r.Left)
}

const (
	healthy  = "healthy"
	flooding = "flooding"
	large    = "large"
	silent   = "silent" // the prefix of each silent shop
)

// Run measures.
func (f Fairness) Run(ctx context.Context, cfg Config) (r FairnessResult, err error) {
	err = f.measure(ctx, cfg, f.Flood+f.Orders+4*f.Silent, 0, alone, func(ctx context.Context, fix *fixture) (err error) {
		p, err := newSilentProvider(fix.Client, func(terminal string) bool { return strings.HasPrefix(terminal, silent) })
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.close()) }()
		run := &fairness{Fairness: f, fixture: fix, due: make([]time.Time, f.Orders), issued: make(chan struct{})}
		if err := run.play(ctx, p); err != nil {
			return err
		}
		r = FairnessResult{Silent: f.Silent, Flood: f.Flood, Large: f.Large, Latency: quantiles(run.took), Left: f.Flood - run.flooded}
		return nil
	})
	return r, err
}

// fairness is one run.
type fairness struct {
	Fairness
	*fixture
	mu      sync.Mutex
	due     []time.Time // by the healthy order's number
	took    []time.Duration
	flooded int           // orders of the flooding shop that were issued
	issued  chan struct{} // closed when all of the healthy shop's are
}

func (r *fairness) play(ctx context.Context, p *silentProvider) error {
	var silentShops []string
	for i := range r.Silent {
		silentShops = append(silentShops, fmt.Sprint(silent, i))
	}
	r.say("placing %d orders of shops with silent terminals, %d of one shop and one of %d bytes", 4*r.Silent, r.Flood, r.Large)
	if err := r.placeOthers(ctx, silentShops); err != nil {
		return err
	}
	w := invoicer.New(invoicer.Config{Bus: r.Bus, Provider: p, Shops: shops(silentShops...), ValidFor: validFor, Log: r.Log})
	return r.follow(ctx, []events.Name{events.EventIssued}, r.onIssued, func(ctx context.Context) error { return while(ctx, r.placeHealthy, w.Run) })
}

// placeOthers places everything that may delay the healthy shop.
func (r *fairness) placeOthers(ctx context.Context, silentShops []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return each(ctx, 4*len(silentShops), atOnce, func(ctx context.Context, i int) error { return r.place(ctx, silentShops[i%len(silentShops)], i) })
	})
	g.Go(func() error {
		return each(ctx, r.Flood, atOnce, func(ctx context.Context, i int) error { return r.place(ctx, flooding, i) })
	})
	g.Go(func() error { return r.publish(ctx, largeOrder(r.Large)) })
	return g.Wait()
}

// placeHealthy places the healthy shop's orders, each when it is due, and waits until all are issued.
func (r *fairness) placeHealthy(ctx context.Context) error {
	r.say("%d orders of the healthy shop, %d a second", r.Orders, r.Rate)
	err := atRate(ctx, r.Orders, r.Rate, func(ctx context.Context, i int, due time.Time) error {
		r.mu.Lock()
		r.due[i] = due
		r.mu.Unlock()
		return r.place(ctx, healthy, i)
	})
	if err != nil {
		return err
	}
	select {
	case <-r.issued:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *fairness) onIssued(a events.Address) error {
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
		if r.took = append(r.took, time.Since(r.due[i])); len(r.took) == r.Orders {
			close(r.issued)
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
