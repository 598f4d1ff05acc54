package certify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Config is the settings of one run. Only Procedure is required; without an Endpoint the run has a sandbox of its own.
type Config struct {
	Procedure       Procedure
	ClientID        string // the integrator's company
	ClientReference string // its system and version
	Program         string // what is certified, for the report
	Provider        Provider
	Buyer           Buyer         // required with an Endpoint
	Patience        time.Duration // how long to wait for one step, a person's included; 0 means 10 min, or 30 s with an own sandbox
	Observer        Observer      // may be nil
	Log             zerolog.Logger

	start func(context.Context, app.Options) (*bus.Bus, workers, error) // nil is app.Start
	poll  time.Duration                                                 // between two polls of an invoice, in a run with its own sandbox
}

// Provider is the provider to certify with, and the credentials there.
type Provider struct {
	Endpoint  string
	AllowHTTP bool
	Terminal  seqr.Principal // a webshop's; a point of sale registers its own
	Reseller  seqr.Principal // registers terminals and closes periods; a webshop may do without
	SeqrID    string         // of the code on a point of sale's till
	Currency  string         // SEK unless set
}

// Observer is called for everything as it happens, by one goroutine at a time.
type Observer interface {
	TestStarted(Test)
	StepDone(Step)
	Waiting(why string) // also for a warning
}

// workers are the running workers; an *app.Stack has them.
type workers interface {
	Wait() error
	Stop() error
}

const (
	sandboxPatience = 30 * time.Second
	personPatience  = 10 * time.Minute

	// pollEvery is the time between polls that the provider asks for; sandboxPollEvery is that of a run with its own sandbox.
	pollEvery        = time.Second
	sandboxPollEvery = 400 * time.Millisecond
	sandboxSeqrID    = "CERTIFY1"
)

// SettingsError says which settings are missing or wrong.
type SettingsError struct{ Err error }

func (e *SettingsError) Error() string { return e.Err.Error() }
func (e *SettingsError) Unwrap() error { return e.Err }

func (c *Config) complete() error {
	var errs []error
	if c.Procedure != Webshop && c.Procedure != PointOfSale {
		errs = append(errs, fmt.Errorf("procedure: expected %s or %s, got %q", Webshop, PointOfSale, c.Procedure))
	}
	if c.Provider.Currency == "" {
		c.Provider.Currency = "SEK"
	}
	if _, ok := events.CurrencyDigits(c.Provider.Currency); !ok {
		errs = append(errs, fmt.Errorf("currency: expected an ISO 4217 code such as SEK, got %q", c.Provider.Currency))
	}
	if c.Provider.Endpoint != "" {
		errs = append(errs, c.completeProvider())
	} else {
		c.completeSandbox()
	}
	if c.start == nil {
		c.start = func(ctx context.Context, o app.Options) (*bus.Bus, workers, error) {
			s, err := app.Start(ctx, o)
			if err != nil {
				return nil, nil, err
			}
			return s.Bus, s, nil
		}
	}
	return errors.Join(errs...)
}

// completeProvider says everything that is missing.
func (c *Config) completeProvider() error {
	var errs []error
	missing := func(is bool, what string) {
		if is {
			errs = append(errs, errors.New(what+": missing"))
		}
	}
	p := c.Provider
	missing(c.ClientID == "", "client id (your company's name)")
	missing(c.Buyer == nil, "buyer")
	if c.Procedure == PointOfSale {
		missing(p.Reseller.ID == "" || p.Reseller.UserID == "" || p.Reseller.Password == "", "reseller, its user and password")
		missing(p.SeqrID == "", "seqr id (of the code on the till)")
	} else {
		missing(p.Terminal.ID == "" || p.Terminal.Password == "", "terminal and its password")
	}
	if c.Patience == 0 {
		c.Patience = personPatience
	}
	return errors.Join(errs...)
}

func (c *Config) completeSandbox() {
	if c.Patience == 0 {
		c.Patience = sandboxPatience
	}
	if c.poll == 0 {
		c.poll = sandboxPollEvery
	}
	t, r := sandbox.DemoTerminals()[0], sandbox.DemoResellers()[0]
	c.Provider.Terminal = seqr.Terminal(t.ID, seqr.Secret(t.Password))
	c.Provider.Reseller = seqr.ResellerUser(r.ID, r.UserID, seqr.Secret(r.Password))
	c.Provider.SeqrID = sandboxSeqrID
}

// Run runs the procedure. The error is a *SettingsError, or says why broker, workers or sandbox do not run. What the workers
// or the provider did wrong is in the report, which is complete even when ctx ends early.
func Run(ctx context.Context, cfg Config) (report Report, err error) {
	if err := cfg.complete(); err != nil {
		return Report{}, &SettingsError{err}
	}
	r := &run{Config: cfg, id: strings.ToLower(rand.Text()[:6]), transcript: newTranscript(), time: &timeline{}, wait: sleep, interval: pollEvery}
	if cfg.Provider.Endpoint == "" {
		if r.own, err = startSandbox(ctx, cfg.Log); err != nil {
			return Report{}, err
		}
		defer func() { err = errors.Join(err, r.own.Stop()) }()
		r.useSandbox()
	}
	if r.client, err = seqr.New(r.clientConfig()); err != nil {
		return Report{}, &SettingsError{err}
	}
	defer r.client.CloseIdle()
	begun := time.Now()
	if err := r.procedure(ctx); err != nil {
		return Report{}, err
	}
	return r.report(begun), nil
}

// startSandbox starts a sandbox whose clock stands until it is moved.
func startSandbox(ctx context.Context, log zerolog.Logger) (*app.Stack, error) {
	o := app.Private("seqrflow certify", log)
	o.Targets, o.Sandbox.ManualClock = []string{"sandbox"}, true
	o.Sandbox.FirstVersion = 3 // with 0, a client that always sends 0 would pass
	return app.Start(context.WithoutCancel(ctx), o)
}

func (r *run) useSandbox() {
	r.Provider.Endpoint, r.Provider.AllowHTTP = r.own.URLs.Provider, true
	if r.Buyer == nil {
		r.Buyer = sandboxBuyer{r.own.Sandbox}
	}
	r.interval = r.poll
	r.wait = func(ctx context.Context, d time.Duration) error {
		r.own.Sandbox.Advance(d)
		r.time.skipped(d)
		return ctx.Err()
	}
}

func (r *run) clientConfig() seqr.Config {
	return seqr.Config{
		Endpoint: r.Provider.Endpoint, AllowHTTP: r.Provider.AllowHTTP, ClientID: r.ClientID, ClientReference: r.ClientReference,
		Recorder: r.transcript,
	}
}
