package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
)

// Config is the settings of a sandbox. Its zero value gives a sandbox in memory, in real time, with the demo credentials.
type Config struct {
	ManualClock  bool          // time moves only by Advance and POST /clock/advance
	Start        time.Time     // first instant of a manual clock; zero means now
	BaseURL      string        // how wallets reach the sandbox, e.g. http://127.0.0.1:8585, for links; may be empty
	Data         string        // folder that keeps the state over restarts; empty means memory only
	Terminals    []Terminal    // nil means DemoTerminals
	Resellers    []Reseller    // nil means DemoResellers
	Reversal     time.Duration // how long the shop may take to fetch a payment; 0 means 20 s
	Lifetime     time.Duration // how long an invoice can be paid before it is EXPIRED; 0 means without end
	FirstVersion int           // version of a new invoice; the provider begins with 0, which a client that ignores versions sends too
	Seed         uint64        // of fault probabilities and of registered terminals' ids
	Log          zerolog.Logger

	// OnInvoice is called for each accepted sendInvoice, after it is durable and before it is answered, on the goroutine of
	// the call, so possibly several times at once. It may scan, pay or decline at once. It should not take long, and must
	// neither advance a manual clock nor wait for it.
	OnInvoice func(invoiceReference, clientInvoiceID, terminal string)
}

// Terminal is a point of sale to which the provider gave credentials.
type Terminal struct {
	ID, Password string
	Name         string // the shop, as the buyer sees it
	Reseller     string
	CashRegister bool // has one live invoice at a time: a new one cancels the last
}

// Reseller is a merchant's administrative user.
type Reseller struct{ ID, UserID, Password string }

// DemoTerminals gives the terminals of a sandbox without Config.Terminals: one webshop.
func DemoTerminals() []Terminal {
	return []Terminal{{ID: "demo-terminal", Password: "demo-secret", Name: "Demo shop", Reseller: "demo-reseller"}}
}

// DemoResellers gives the resellers of a sandbox without Config.Resellers: the merchant that owns the demo terminal.
func DemoResellers() []Reseller {
	return []Reseller{{ID: "demo-reseller", UserID: "9900", Password: "demo-secret"}}
}

const (
	defaultReversal = 20 * time.Second
	// defaultReservation is how long a reservation lasts when the invoice names no commitReservationTimeout.
	defaultReservation = 15 * time.Minute
	// confirmWindow is how long a buyer may hesitate over the PIN; cancelInvoice answers 51 meanwhile.
	confirmWindow = 30 * time.Second
	// reportDelay is how long after the mark the report of a period is ready.
	reportDelay = 3 * time.Second
)

// complete sets the defaults. The error names every setting that is wrong.
func (c *Config) complete() error {
	if c.Terminals == nil {
		c.Terminals = DemoTerminals()
	}
	if c.Resellers == nil {
		c.Resellers = DemoResellers()
	}
	c.Reversal = cmp.Or(c.Reversal, defaultReversal)
	var errs []error
	for _, s := range []struct {
		name     string
		negative bool
	}{{"Reversal", c.Reversal < 0}, {"FirstVersion", c.FirstVersion < 0}, {"Lifetime", c.Lifetime < 0}} {
		if s.negative {
			errs = append(errs, fmt.Errorf("setting %s: must not be negative", s.name))
		}
	}
	seen := map[string]bool{}
	for i, t := range c.Terminals {
		if t.ID == "" || t.Password == "" {
			errs = append(errs, fmt.Errorf("setting Terminals[%d]: needs an ID and a Password", i))
		}
		if seen["t/"+t.ID] {
			errs = append(errs, fmt.Errorf("setting Terminals[%d]: ID %q is there twice", i, t.ID))
		}
		seen["t/"+t.ID] = true
	}
	for i, r := range c.Resellers {
		if r.ID == "" || r.UserID == "" || r.Password == "" {
			errs = append(errs, fmt.Errorf("setting Resellers[%d]: needs an ID, a UserID and a Password", i))
		}
		key := "r/" + r.ID + "/" + r.UserID
		if seen[key] {
			errs = append(errs, fmt.Errorf("setting Resellers[%d]: %s/%s is there twice", i, r.ID, r.UserID))
		}
		seen[key] = true
	}
	return errors.Join(errs...)
}
