package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/outbound"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
)

const (
	// sweepOverlap is read again by each sweep: the shop's times have whole seconds, and an order may be stored a moment after its
	// time.
	sweepOverlap = time.Minute
	// firstSweep is how far back the first sweep of a shop reads. Older orders were there before the shop was connected.
	firstSweep = time.Hour
	maxPage    = 32 << 20 // bytes of a list of 100 orders
	// wooCommerce is the name of the system in the table.
	wooCommerce = "woocommerce"
)

// sweep reads the orders of one shop of WooCommerce, which never repeats a delivery that was lost.
type sweep struct {
	shop    string
	client  *woocommerce.Client
	inbound woocommerce.Inbound
}

// progress is how far the sweeps of a shop have come. It is kept at the broker, so that any copy of the gateway goes on from it.
type progress struct {
	Modified time.Time `json:"modified"` // the newest time of change of an order that was read, by the shop's clock; not after the sweep began
	Begun    time.Time `json:"begun"`    // of the last sweep, or when it was last known to go on, by the broker's clock
}

// newSweep reads the shop's credentials. The requests go out with them, so the client must follow no redirect.
func newSweep(shop string, c connections.WooCommerce) (sweep, error) {
	key, err := named("woocommerce.consumer_key_file", c.ConsumerKey)
	secret, err2 := named("woocommerce.consumer_secret_file", c.ConsumerSecret)
	if err := errors.Join(err, err2); err != nil {
		return sweep{}, err
	}
	client, err := woocommerce.NewClient(c.URL, key[0], secret[0], outbound.New(outbound.Config{AllowPrivate: c.AllowPrivate, MaxAnswer: maxPage}))
	return sweep{shop, client, woocommerce.Inbound{PaymentMethods: c.PaymentMethods}}, err
}

// sweepAll sweeps each shop, again and again, until ctx ends.
func (g *Gateway) sweepAll(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range g.sweeps {
		all.Go(func() {
			for {
				if err := g.sweepOnce(ctx, s); err != nil && ctx.Err() == nil && g.sometimes.OK("sweep "+s.shop) {
					g.Log.Warn().Err(err).Str("shop", s.shop).Msg("sweep failed; the next one reads the same orders")
				}
				pause := g.SweepEvery/2 + rand.N(g.SweepEvery/8)
				select {
				case <-ctx.Done():
					return
				case <-time.After(pause):
				}
			}
		})
	}
	all.Wait()
}

// sweepOnce reads the orders that were changed since the last sweep, however long that takes, unless a copy of the gateway sweeps or has
// swept less than g.SweepEvery ago, and publishes what is missing. The sweep of a copy that dies is begun again by the next.
func (g *Gateway) sweepOnce(ctx context.Context, s sweep) error {
	begun := g.Bus.Now()
	at, before, err := g.beginSweep(ctx, s.shop, begun)
	if errors.Is(err, errSwept) {
		return nil
	}
	if err != nil {
		return err
	}
	// A time of change that is ahead is of a shop whose clock was wrong: what changes until then would never be read.
	before.Modified = notAfter(before.Modified, begun)
	sweeping, end := context.WithCancelCause(ctx)
	kept := make(chan bus.Cursor)
	go func() { kept <- g.keepSweep(sweeping, end, s.shop, at, before.Modified) }()
	read, published, newest, err := g.sweepOrders(sweeping, s, before.Modified)
	end(nil)
	at = <-kept
	switch {
	case errors.Is(context.Cause(sweeping), bus.ErrCursorMoved): // this copy was cut off, and another sweeps
		return nil
	case err != nil:
		return err
	}
	if _, err := g.Bus.StoreCursor(ctx, s.shop, wooCommerce, at, progress{Modified: notAfter(newest, begun), Begun: g.Bus.Now()}); err != nil && !errors.Is(err, bus.ErrCursorMoved) {
		return err
	}
	g.metrics.swept.WithLabelValues(s.shop).SetToCurrentTime()
	log := g.Log.Debug()
	if published > 0 {
		log = g.Log.Warn() // a delivery of the shop was lost
	}
	log.Str("shop", s.shop).Int("orders", read).Int("published", published).Time("modified", newest).Msg("sweep")
	return nil
}

// notAfter gives the earlier of two times.
func notAfter(t, limit time.Time) time.Time {
	if t.After(limit) {
		return limit
	}
	return t
}

// keepSweep tells the other copies that the sweep goes on, until ctx ends, and gives the cursor as it is then. Where another copy has
// begun a sweep, it ends this one.
func (g *Gateway) keepSweep(ctx context.Context, end context.CancelCauseFunc, shop string, at bus.Cursor, modified time.Time) bus.Cursor {
	tick := time.NewTicker(g.SweepEvery / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return at
		case <-tick.C:
		}
		storing, stored := context.WithTimeout(context.WithoutCancel(ctx), hookTime) // what is stored has to be known
		next, err := g.Bus.StoreCursor(storing, shop, wooCommerce, at, progress{Modified: modified, Begun: g.Bus.Now()})
		stored()
		switch {
		case errors.Is(err, bus.ErrCursorMoved):
			end(err)
			return at
		case err == nil: // else the broker is away: the next time
			at = next
		}
	}
}

// sweepOrders publishes what is missing of the orders that were changed after a minute before the given time. It gives the number of
// orders and of events, and the newest change.
func (g *Gateway) sweepOrders(ctx context.Context, s sweep, modified time.Time) (read, published int, newest time.Time, err error) {
	newest = modified
	for body, err := range s.client.Orders(ctx, woocommerce.Changed{After: modified.Add(-sweepOverlap)}) {
		if err != nil {
			return read, published, newest, err
		}
		n, err := g.sweepOrder(ctx, s, body)
		if err != nil {
			return read, published, newest, err
		}
		read, published = read+1, published+n
		if t, ok := woocommerce.ModifiedAt(body); ok && t.After(newest) {
			newest = t
		}
	}
	return read, published, newest, nil
}

var errSwept = errors.New("swept already")

// beginSweep records that a sweep begins. The error is errSwept if it is not time for one, or another copy has begun it.
func (g *Gateway) beginSweep(ctx context.Context, shop string, now time.Time) (bus.Cursor, progress, error) {
	at, err := g.Bus.LoadCursor(ctx, shop, wooCommerce)
	if err != nil {
		return at, progress{}, err
	}
	p := progress{Modified: now.Add(-firstSweep)}
	if at.Seq > 0 {
		if err := at.Decode(&p); err != nil {
			return at, p, fmt.Errorf("cursor: %w", err)
		}
	}
	if since := now.Sub(p.Begun); since >= 0 && since < g.SweepEvery {
		return at, p, errSwept
	}
	at, err = g.Bus.StoreCursor(ctx, shop, wooCommerce, at, progress{Modified: p.Modified, Begun: now})
	if errors.Is(err, bus.ErrCursorMoved) {
		err = errSwept
	}
	return at, p, err
}

// sweepOrder publishes what ORDERS does not have of an order, and gives the number of events.
func (g *Gateway) sweepOrder(ctx context.Context, s sweep, body []byte) (int, error) {
	t, err := s.inbound.TranslateOrder(s.shop, body)
	var refusal *commerce.Refusal
	if errors.As(err, &refusal) {
		h, _ := g.hookOf(s.shop, wooCommerce)
		req := commerce.Request{Shop: s.shop, Body: body, At: g.Bus.Now(), Header: http.Header{"X-Wc-Webhook-Topic": {"order.updated"}}}
		// Each sweep reads the newest order again, so what an operator has dismissed stays dismissed.
		return 0, g.keepRefused(ctx, h, req, commerce.RefusedPart{Body: body, Refusal: refusal}, g.Bus.GivenUp)
	}
	if err != nil {
		return 0, err
	}
	names, err := g.publish(ctx, s.shop, wooCommerce, t.Events)
	return len(names), err
}
