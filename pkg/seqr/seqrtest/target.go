package seqrtest

import (
	"context"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Target is a provider to be checked.
type Target struct {
	// Config says where it is. A ClientID and ClientReference are given unless set.
	Config seqr.Config
	// Terminal is a webshop's: one that may have any number of live invoices.
	Terminal seqr.Principal
	// Reseller owns the terminal. Without an ID, registering terminals and closing periods are skipped.
	Reseller seqr.Principal
	// Currency is what the terminal sells in; SEK unless set.
	Currency string
	// Buyer pays. Without one, all that needs a payment is skipped.
	Buyer Buyer
	// Wait lets time pass at the provider; it really waits unless set.
	Wait func(context.Context, time.Duration) error
}

// Buyer is somebody with the wallet. Each method returns when it is done.
type Buyer interface {
	Pay(ctx context.Context, invoiceReference string) error
	Decline(ctx context.Context, invoiceReference string) error
}

// Scanner is a buyer who can read an invoice's code and then wait, as one with a loyalty card does. A check that
// needs one is skipped where the Buyer is none.
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
		t.Wait = reallyWait
	}
	return t
}

func reallyWait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
