package seqrtest

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

type (
	// Config is what a provider can be told to be like.
	Config = sandbox.Config
	// Fault is one thing that the provider does wrong on purpose.
	Fault = sandbox.Fault
	// Ledger is the provider's record of invoices, payments, refunds and periods.
	Ledger = sandbox.Ledger
)

// Server is a provider that one test has to itself.
type Server struct {
	URL      string         // of everything that is not SOAP: the buyer's pages, the ledger, the faults
	Endpoint string         // of the SOAP service
	Terminal seqr.Principal // a webshop's
	Reseller seqr.Principal // its owner's

	t  testing.TB
	sb *sandbox.Sandbox
}

// Start gives the test a provider, which ends with it. Time stands still there until [Server.Advance], so
// nothing depends on how fast the test runs; a configure function may set ManualClock to false.
func Start(t testing.TB, configure ...func(*Config)) *Server {
	t.Helper()
	cfg := Config{ManualClock: true, Terminals: sandbox.DemoTerminals(), Resellers: sandbox.DemoResellers()}
	for _, f := range configure {
		f(&cfg)
	}
	if len(cfg.Terminals) == 0 || len(cfg.Resellers) == 0 {
		t.Fatal("seqrtest: a provider needs a terminal and a reseller")
	}
	sb, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sb)
	t.Cleanup(func() {
		if err := sb.Close(); err != nil { // lets delayed calls go, which the server would wait for
			t.Error(err)
		}
		srv.Close()
	})
	shop, owner := cfg.Terminals[0], cfg.Resellers[0]
	return &Server{
		URL: srv.URL, Endpoint: srv.URL + sandbox.Path,
		Terminal: seqr.Terminal(shop.ID, seqr.Secret(shop.Password)),
		Reseller: seqr.ResellerUser(owner.ID, owner.UserID, seqr.Secret(owner.Password)),
		t:        t, sb: sb,
	}
}

// Scan is the buyer's app reading the invoice's code.
func (s *Server) Scan(invoiceReference string) { s.t.Helper(); s.must(s.sb.Scan(invoiceReference)) }

// Confirm is the buyer with the PIN dialog open.
func (s *Server) Confirm(invoiceReference string) {
	s.t.Helper()
	s.must(s.sb.Confirm(invoiceReference))
}

// Pay is the buyer entering the PIN. The shop then has twenty seconds on the provider's clock to fetch PAID.
func (s *Server) Pay(invoiceReference string) { s.t.Helper(); s.must(s.sb.Pay(invoiceReference)) }

// Decline is the buyer pressing cancel in the app: the invoice is CANCELED.
func (s *Server) Decline(invoiceReference string) {
	s.t.Helper()
	s.must(s.sb.Decline(invoiceReference))
}

// Fail is the payment not going through: the invoice is FAILED.
func (s *Server) Fail(invoiceReference string) { s.t.Helper(); s.must(s.sb.Fail(invoiceReference)) }

// Expire ends an invoice as the provider does with one that nobody pays.
func (s *Server) Expire(invoiceReference string) { s.t.Helper(); s.must(s.sb.Expire(invoiceReference)) }

// Advance lets time pass at the provider; what falls due on the way happens, each thing at its own instant.
func (s *Server) Advance(d time.Duration) { s.sb.Advance(d) }

// Faults makes an operation, or "*" for all, go wrong in these ways, and every other go well.
func (s *Server) Faults(operation string, faults ...Fault) {
	s.t.Helper()
	s.must(s.sb.SetFaults(map[string][]Fault{operation: faults}))
}

// Ledger is what really happened.
func (s *Server) Ledger() Ledger { return s.sb.Ledger() }

// Client makes a client of this provider; only what concerns the test need be set.
func (s *Server) Client(config seqr.Config) *seqr.Client {
	s.t.Helper()
	config.Endpoint = s.Endpoint
	c, err := seqr.New(config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.CloseIdle)
	return c
}

// Target is this provider as [Run] wants it.
func (s *Server) Target() Target {
	return Target{
		Config: seqr.Config{Endpoint: s.Endpoint}, Terminal: s.Terminal, Reseller: s.Reseller,
		Buyer: WalletAt(s.URL), Wait: WaitAt(s.URL),
	}
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
