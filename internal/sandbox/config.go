package sandbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
)

// Config says what a sandbox is like. Its zero value is a sandbox in memory, in real time, with the demo credentials.
type Config struct {
	ManualClock bool          // time moves only by Advance and POST /clock/advance
	Start       time.Time     // first instant of a manual clock; zero means now
	BaseURL     string        // how wallets reach the sandbox, e.g. http://127.0.0.1:8585, for links; may be empty
	Data        string        // folder that outlives the process; empty means memory only
	Terminals   []Terminal    // nil means DemoTerminals
	Resellers   []Reseller    // nil means DemoResellers
	Reversal    time.Duration // how long a payment waits to be fetched; 0 means 20 s
	Lifetime    time.Duration // how long an invoice can be paid before it is EXPIRED; 0 means for ever

	// FirstVersion is the version of a new invoice, as getPaymentStatus answers it. The provider begins with 0, which a
	// client that ignores versions sends too; any other number tells the two apart.
	FirstVersion int

	Seed uint64 // of fault probabilities and of registered terminals' ids
	Log  zerolog.Logger

	// OnInvoice is told of each accepted sendInvoice, after it is durable and before it is answered, on the
	// goroutine of the call: it may scan, pay or decline at once, and should not take long, nor wait for a manual clock
	// except by Advance.
	OnInvoice func(invoiceReference, clientInvoiceID, terminal string)
}

// Terminal is a point of sale that the provider gave credentials to.
type Terminal struct {
	ID, Password string
	Name         string // the shop, as the buyer sees it
	Reseller     string
	CashRegister bool // has one live invoice: a new one cancels the last
}

// Reseller is a merchant's administrative user.
type Reseller struct{ ID, UserID, Password string }

// DemoTerminals is what a sandbox has unless told otherwise: one webshop.
func DemoTerminals() []Terminal {
	return []Terminal{{ID: "demo-terminal", Password: "demo-secret", Name: "Demo shop", Reseller: "demo-reseller"}}
}

// DemoResellers is what a sandbox has unless told otherwise: the merchant that owns the demo terminal.
func DemoResellers() []Reseller {
	return []Reseller{{ID: "demo-reseller", UserID: "9900", Password: "demo-secret"}}
}

const (
	defaultReversal = 20 * time.Second
	// defaultReservation is how long a reservation holds when the invoice names no commitReservationTimeout.
	defaultReservation = 15 * time.Minute
	// confirmWindow is how long a buyer may hesitate over the PIN; cancelInvoice answers 51 meanwhile.
	confirmWindow = 30 * time.Second
	// reportDelay is how long a marked period is being prepared.
	reportDelay = 3 * time.Second
)

func (c *Config) complete() error {
	if c.Terminals == nil {
		c.Terminals = DemoTerminals()
	}
	if c.Resellers == nil {
		c.Resellers = DemoResellers()
	}
	if c.Reversal == 0 {
		c.Reversal = defaultReversal
	}
	var errs []error
	if c.Reversal < 0 {
		errs = append(errs, errors.New("setting Reversal: must not be negative"))
	}
	if c.FirstVersion < 0 {
		errs = append(errs, errors.New("setting FirstVersion: must not be negative"))
	}
	if c.Lifetime < 0 {
		errs = append(errs, errors.New("setting Lifetime: must not be negative"))
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
