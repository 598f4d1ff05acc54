package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/govalues/decimal"
)

// sandbox is the provider as its buyers and its bookkeeper see it.
type sandbox struct{ url string }

// ledger is the part of the provider's books that is compared.
type ledger struct {
	Invoices []struct {
		InvoiceReference string          `json:"invoiceReference"`
		Status           string          `json:"status"`
		Total            decimal.Decimal `json:"total"`
	} `json:"invoices"`
	Payments []struct {
		ErsReference     string          `json:"ersReference"`
		InvoiceReference string          `json:"invoiceReference"`
		Amount           decimal.Decimal `json:"amount"`
		Refunded         decimal.Decimal `json:"refunded"`
		At               time.Time       `json:"at"`
		FetchedAt        time.Time       `json:"fetchedAt"`
	} `json:"payments"`
	Reversals []json.RawMessage `json:"reversals"`
	Refunds   []struct {
		InvoiceReference string          `json:"invoiceReference"`
		Amount           decimal.Decimal `json:"amount"`
	} `json:"refunds"`
	Receipts []struct {
		ErsReference string `json:"ersReference"`
		Size         int    `json:"size"`
	} `json:"receipts"`
}

func (s sandbox) do(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

func (s sandbox) pay(ctx context.Context, e *events, numbers []int) error {
	for _, n := range numbers {
		if err := s.do(ctx, http.MethodPost, "/wallet/"+e.of(n).InvoiceReference+"/pay", nil); err != nil {
			return fmt.Errorf("buyer of %s: %w", orderID(n), err)
		}
	}
	return nil
}

// compare holds the provider's books against what our events say and what the scenario wants, and gives the
// longest time that a payment waited to be fetched.
func compare(ctx context.Context, s sandbox, e *events) (longest time.Duration, err error) {
	var l ledger
	if err := s.do(ctx, http.MethodGet, "/ledger", &l); err != nil {
		return 0, err
	}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	paid := slices.Concat(firstHalf, secondHalf)
	for what, count := range map[string][2]int{
		"invoices": {len(l.Invoices), orders}, "payments": {len(l.Payments), len(paid)},
		"reversals": {len(l.Reversals), 0}, "refunds": {len(l.Refunds), 2},
	} {
		if count[0] != count[1] {
			wrong("the ledger has %d %s, not %d", count[0], what, count[1])
		}
	}
	for _, p := range l.Payments {
		if p.FetchedAt.IsZero() {
			wrong("payment %s was never fetched", p.ErsReference)
		}
		longest = max(longest, p.FetchedAt.Sub(p.At))
	}
	for n := 1; n <= orders; n++ {
		errs = append(errs, l.agrees(n, e.of(n), slices.Contains(paid, n)))
	}
	return longest, errors.Join(errs...)
}

// agrees compares one order: as it was placed, as our last event has it, as the provider booked it.
func (l ledger) agrees(n int, ours invoice, paid bool) error {
	var errs []error
	same := func(what, want, got string) {
		if want != got {
			errs = append(errs, fmt.Errorf("%s: %s should be %s, the ledger has %s", orderID(n), what, want, got))
		}
	}
	status, refund, booked, receipts := "", decimal.Zero, decimal.Zero, 0
	for _, i := range l.Invoices {
		if i.InvoiceReference == ours.InvoiceReference {
			status = i.Status
			same("the total", total(n), exact(i.Total))
		}
	}
	for _, r := range l.Refunds {
		if r.InvoiceReference == ours.InvoiceReference {
			refund, _ = refund.Add(r.Amount)
		}
	}
	for _, p := range l.Payments {
		if p.InvoiceReference == ours.InvoiceReference {
			booked = p.Amount
			same("the payment", ours.ErsReference, p.ErsReference)
			same("the payment's refunds", exact(refund), exact(p.Refunded))
		}
	}
	for _, r := range l.Receipts {
		if r.ErsReference == ours.ErsReference && r.Size > 0 {
			receipts++
		}
	}
	if !paid {
		same("the status", "CANCELED", status)
		same("what was paid", "0.00", exact(booked))
		return errors.Join(errs...)
	}
	same("the status", "PAID", status)
	same("what was paid", total(n), exact(booked))
	same("what was refunded", asked(n), exact(refund))
	if receipts == 0 {
		errs = append(errs, fmt.Errorf("%s: the ledger has no receipt", orderID(n)))
	}
	return errors.Join(errs...)
}

// exact writes an amount with two digits, and with more only where it has more.
func exact(d decimal.Decimal) string { return d.Trim(2).Pad(2).String() }

// asked is how much of the order the shop has wanted to be refunded.
func asked(n int) string {
	switch n {
	case returned:
		return returnedAmount
	case regretted:
		return total(n)
	default:
		return "0.00"
	}
}
