package seqrtest

import (
	"context"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Target is a provider to check.
type Target struct {
	// Config needs an Endpoint. Its ClientID and ClientReference have defaults.
	Config seqr.Config
	// Terminal is a webshop: it may have any number of open invoices.
	Terminal seqr.Principal
	// Reseller owns the terminal. Without its ID, the checks of terminals and periods are skipped.
	Reseller seqr.Principal
	// Currency is the terminal's; SEK unless set.
	Currency string
	// Buyer pays. Without one, the checks that need a payment are skipped.
	Buyer Buyer
	// Wait returns when the time has passed at the provider; it waits in real time unless set.
	Wait func(context.Context, time.Duration) error
}

// Buyer pays invoices. Each method returns when the provider has recorded what the buyer did.
type Buyer interface {
	Pay(ctx context.Context, invoiceReference string) error
	Decline(ctx context.Context, invoiceReference string) error
}

// Scanner is a Buyer that can read an invoice's code and then wait, as a buyer with a loyalty card does. Where the Buyer is
// no Scanner, the check of loyalty tokens is skipped.
type Scanner interface {
	Scan(ctx context.Context, invoiceReference string) error
}

func (t Target) withDefaults() Target {
	if t.Config.ClientID == "" {
		t.Config.ClientID, t.Config.ClientReference = "Conformance AB", "seqrtest/1"
	}
	if t.Currency == "" {
		t.Currency = "SEK"
	}
	if t.Wait == nil {
		t.Wait = waitInRealTime
	}
	return t
}

func waitInRealTime(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
