package wallet

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/pkg/seqr/seqrtest"
)

// phone is a tab of the browser, and a provider of the test's own.
type phone struct {
	t      *testing.T
	srv    *seqrtest.Server
	client *seqr.Client
	tab    context.Context
	dir    string // where pictures are kept
}

// launch starts Chromium, which ends with the test and leaves nothing behind.
func launch(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Env("HOME="+t.TempDir()))
	alloc, release := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(release)
	browser, leave := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		if err := chromedp.Cancel(browser); err != nil {
			t.Errorf("closing the browser: %v", err)
		}
		leave()
	})
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	return browser
}

func open(t *testing.T, browser context.Context) *phone {
	t.Helper()
	srv := seqrtest.Start(t, func(c *seqrtest.Config) { c.Lifetime = 5 * time.Minute })
	alive, stop := context.WithTimeout(browser, 4*patience)
	t.Cleanup(stop)
	tab, leave := chromedp.NewContext(alive)
	t.Cleanup(leave)
	return &phone{t: t, srv: srv, client: srv.Client(seqr.Config{}), tab: tab, dir: artifacts(t)}
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no browser: apt-get install chromium")
	}
	t.Skip("there is no browser: apt-get install chromium")
	return ""
}

func artifacts(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SEQRFLOW_ARTIFACTS")
	if dir == "" {
		return t.ArtifactDir()
	}
	dir = filepath.Join(dir, "wallet")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
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
