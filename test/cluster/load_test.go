package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

// load places orders at a steady rate, and buyers pay up to nine seconds after they see the QR code.
type load struct {
	bus      *bus.Bus
	provider *procs.Provider

	mu     sync.Mutex
	acked  []events.Key // orders of which the broker said that they are stored
	failed []error
	buyers sync.WaitGroup
}

// run until ctx ends; each order is published on its own, so that a broker that does not answer delays
// that order alone.
func (l *load) run(ctx context.Context, perSecond int) {
	var publishers sync.WaitGroup
	defer publishers.Wait()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			publishers.Go(func() { l.place(context.WithoutCancel(ctx), n) })
		}
	}
}

func (l *load) place(ctx context.Context, n int) {
	o := rig.Order(fmt.Sprint(1000+n), "99.00")
	err := l.bus.PublishOrder(ctx, "/shop", o.Shop, o.OrderID, "placed-"+o.OrderID, events.Placed, o)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed = append(l.failed, fmt.Errorf("order %s: %w", o.OrderID, err))
		return
	}
	l.acked = append(l.acked, o.Key())
}

// onEvent has the buyer of an issued invoice pay some time later.
func (l *load) onEvent(inv events.Invoice) {
	if inv.Change.Event != events.EventIssued {
		return
	}
	l.buyers.Add(1)
	time.AfterFunc(delayOf(inv.InvoiceReference), func() {
		defer l.buyers.Done()
		if err := l.provider.Pay(inv.InvoiceReference); err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.failed = append(l.failed, fmt.Errorf("the buyer of %s: %w", inv.OrderID, err))
		}
	})
}

// delayOf spreads the payments over nine seconds, so that there are open invoices at any moment.
func delayOf(ref string) time.Duration { return time.Duration(ref[len(ref)-1]-'0') * time.Second }

func (l *load) result() (acked []events.Key, failed error) {
	l.buyers.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked, errors.Join(l.failed...)
}
