package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr/seqrtest"
	"github.com/seqrflow/seqrflow/test/procs"
)

func inState(state events.State) func(events.Invoice) bool {
	return func(inv events.Invoice) bool { return inv.State == state }
}

// wait returns when the last event of each of the orders fits; every event may be the one that does.
func (s *scenario) wait(ctx context.Context, fits func(events.Invoice) bool, groups ...[]int) error {
	last := map[string]events.Invoice{}
	missing := func() int {
		return slices.IndexFunc(slices.Concat(groups...), func(n int) bool { return !fits(last[orderID(n)]) })
	}
	err := s.bus.Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, All: true}}, nil, func(e bus.Entry) error {
		inv, err := events.DecodeInvoice(e.Body)
		if last[inv.OrderID] = inv; err == nil && missing() < 0 {
			err = bus.ErrStop
		}
		return err
	})
	if at := missing(); err == nil && at >= 0 {
		id := orderID(slices.Concat(groups...)[at])
		err = fmt.Errorf("gave up waiting for %s, which is %q with %s refunded", id, last[id].State, last[id].Refunded)
	}
	s.last = last
	return err
}

// pay has buyers pay the orders, and returns when the receipts are sent.
func (s *scenario) pay(ctx context.Context, numbers []int) error {
	for _, n := range numbers {
		if err := seqrtest.WalletAt(s.sandbox).Pay(ctx, s.last[orderID(n)].InvoiceReference); err != nil {
			return fmt.Errorf("buyer of %s: %w", orderID(n), err)
		}
	}
	return s.wait(ctx, inState(events.Receipted), numbers)
}

// compare holds the provider's ledger and what the scenario wants against our events.
func (s *scenario) compare(ctx context.Context) error {
	h, err := audit.Read(ctx, s.bus)
	if err != nil {
		return err
	}
	text, err := procs.Get(ctx, s.sandbox+"/ledger")
	if err != nil {
		return err
	}
	var l sandbox.Ledger
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return err
	}
	errs := []error{s.nothingParked(ctx), s.shop.look(ctx)}
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, p := range h.Problems {
		wrong("history: %s", p)
	}
	for _, d := range audit.Compare(l, h.Last()).Differences {
		wrong("ledger: %s", d)
	}
	paid := slices.Concat(firstHalf, secondHalf)
	if got, want := []int{len(l.Invoices), len(l.Payments), len(l.Reversals), len(l.Refunds)}, []int{orders, len(paid), 0, 2}; !slices.Equal(got, want) {
		wrong("the ledger has %v invoices, payments, reversals and refunds, not %v", got, want)
	}
	for n := 1; n <= orders; n++ {
		inv := h.Last()[events.KeyOf(shopID, orderID(n))]
		if inv.Total.In(inv.Currency) != total(n) || inv.Refunded.In(inv.Currency) != refundedOf(n) || inv.State.Paid() != slices.Contains(paid, n) {
			wrong("%s is %s with a total of %s and %s refunded", orderID(n), inv.State, inv.Total, inv.Refunded)
		}
	}
	var slowest time.Duration
	for _, p := range l.Payments {
		if slowest = max(slowest, p.FetchedAt.Sub(p.At)); p.FetchedAt.IsZero() {
			wrong("payment %s was never fetched", p.ErsReference)
		}
	}
	for _, r := range l.Receipts {
		if r.Size == 0 {
			wrong("the receipt of %s is empty", r.ErsReference)
		}
	}
	fmt.Println("compose test: longest time from a payment to its fetch:", slowest.Round(time.Millisecond))
	return errors.Join(errs...)
}

func (s *scenario) nothingParked(ctx context.Context) error {
	n, err := s.bus.LastSeq(ctx, events.ParkedStream)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d messages were parked", n)
	}
	return err
}
