package seqrtest

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

type (
	// Config has the settings of a provider.
	Config = sandbox.Config
	// Fault is something that a provider does wrong on purpose.
	Fault = sandbox.Fault
	// Ledger has every invoice, payment, refund and so on of a provider.
	Ledger = sandbox.Ledger
)

// Server is a provider that one test has to itself.
type Server struct {
	URL      string         // of the buyer's pages, the ledger and the faults
	Endpoint string         // of the SOAP service
	Terminal seqr.Principal // a webshop
	Reseller seqr.Principal // the user of the reseller that owns the terminal

	t  testing.TB
	sb *sandbox.Sandbox
}

// Start starts a provider, which ends with the test. Its time stands still until [Server.Advance], so that nothing
// depends on how fast the test runs; a configure function may set ManualClock to false. The first terminal and reseller
// of the Config are those of the Server.
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

// Scan makes the buyer's app read the code of an invoice.
func (s *Server) Scan(invoiceReference string) { s.t.Helper(); s.must(s.sb.Scan(invoiceReference)) }

// Confirm opens the PIN dialog in the buyer's app.
func (s *Server) Confirm(invoiceReference string) {
	s.t.Helper()
	s.must(s.sb.Confirm(invoiceReference))
}

// Pay makes the buyer pay an invoice. The shop then has 20 seconds on the provider's clock to fetch PAID.
func (s *Server) Pay(invoiceReference string) { s.t.Helper(); s.must(s.sb.Pay(invoiceReference)) }

// Decline makes the buyer cancel an invoice in the app: it becomes CANCELED.
func (s *Server) Decline(invoiceReference string) {
	s.t.Helper()
	s.must(s.sb.Decline(invoiceReference))
}

// Fail makes the payment of an invoice fail: it becomes FAILED.
func (s *Server) Fail(invoiceReference string) { s.t.Helper(); s.must(s.sb.Fail(invoiceReference)) }

// Expire makes an invoice EXPIRED, as the provider does when it is not paid for a long time.
func (s *Server) Expire(invoiceReference string) { s.t.Helper(); s.must(s.sb.Expire(invoiceReference)) }

// Advance moves the provider's clock. What is due until then happens, everything at its own time.
func (s *Server) Advance(d time.Duration) { s.sb.Advance(d) }

// Faults sets the faults of an operation, or of all with "*", and removes those of every other.
func (s *Server) Faults(operation string, faults ...Fault) {
	s.t.Helper()
	s.must(s.sb.SetFaults(map[string][]Fault{operation: faults}))
}

// Ledger returns what has happened at the provider.
func (s *Server) Ledger() Ledger { return s.sb.Ledger() }

// Client returns a client of this provider. Config needs no Endpoint.
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

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
