package wallet

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/pkg/seqr/seqrtest"
	"github.com/seqrflow/seqrflow/test/browser"
)

// phone is a tab of the browser, and a provider of the test's own.
type phone struct {
	t      *testing.T
	srv    *seqrtest.Server
	client *seqr.Client
	tab    context.Context
	dir    string // where pictures are kept
}

func open(t *testing.T, chromium context.Context) *phone {
	t.Helper()
	srv := seqrtest.Start(t, func(c *seqrtest.Config) { c.Lifetime = 5 * time.Minute })
	alive, stop := context.WithTimeout(chromium, 4*patience)
	t.Cleanup(stop)
	tab, leave := chromedp.NewContext(alive)
	t.Cleanup(leave)
	return &phone{t: t, srv: srv, client: srv.Client(seqr.Config{}), tab: tab, dir: browser.Artifacts(t, "wallet")}
}

func (b *phone) register(name, seqrID string) string {
	b.t.Helper()
	id, err := b.client.RegisterTerminal(b.t.Context(), seqr.RegisterTerminal{
		As: b.srv.Reseller, ExternalTerminalID: seqrID, Password: "till-secret", Name: name,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.client.AssignSeqrID(b.t.Context(), seqr.AssignSeqrID{As: seqr.Terminal(id, "till-secret"), SeqrID: seqrID}); err != nil {
		b.t.Fatal(err)
	}
	return id
}

// checkout is a shop that sends an invoice, and a buyer who opens it.
func (b *phone) checkout() *page {
	b.t.Helper()
	p := &page{phone: b, as: b.srv.Terminal}
	p.issue()
	p.run("opening the page", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2)), chromedp.Navigate(b.srv.URL+"/R"+p.reference))
	return p
}

func (b *phone) visit(path string) *page {
	b.t.Helper()
	p := &page{phone: b}
	p.opens(path)
	return p
}
