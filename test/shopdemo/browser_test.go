package shopdemo

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/test/browser"
)

// tab is a tab of Chromium, which ends with the test and leaves nothing behind.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func newTab(t *testing.T) *tab {
	t.Helper()
	alive, stop := context.WithTimeout(browser.Launch(t, chromedp.WindowSize(1000, 900)), 4*rig.Patience)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(alive)
	t.Cleanup(leave)
	return &tab{t, ctx}
}

func (b *tab) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.sees(selector)
	b.run("clicking "+selector, chromedp.Click(selector, chromedp.NodeVisible))
}

// sees waits until something is visible, on whatever page the tab is then.
func (b *tab) sees(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, rig.Patience)
	defer cancel()
	const visible = `selector => { const e = document.querySelector(selector); return !!e && e.checkVisibility() }`
	missing := rig.Until(ctx, func(context.Context) string {
		_, err := chromedp.Run(ctx, chromedp.PollFunction[bool](visible, chromedp.WithPollingArgs(selector), chromedp.WithPollingTimeout(time.Second)))
		if err != nil {
			return err.Error() // the page may have gone to another
		}
		return ""
	})
	if missing != "" {
		b.keep("failed")
		seen, _ := chromedp.Run(b.ctx, chromedp.Text("body")) // only to say more about the failure
		b.t.Fatalf("waiting for %s: %s; the page reads:\n%s", selector, missing, seen)
	}
}

// keep keeps a picture of the page.
func (b *tab) keep(name string) {
	b.t.Helper()
	dir := os.Getenv("SEQRFLOW_ARTIFACTS")
	if dir == "" {
		dir = b.t.ArtifactDir()
	} else {
		dir = filepath.Join(dir, "shopdemo")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	browser.Picture(b.t, b.ctx, filepath.Join(dir, name+".png"))
}

// Everything is done with the mouse and the keys, as a newcomer does it.
func TestFromTheShopToThePaidOrderInABrowser(t *testing.T) {
	b := newTab(t)
	r := start(t, t.TempDir())
	b.run("opening the shop", chromedp.Navigate(r.shop+"/"))
	b.sees(`button[value="LAN-1"]`)
	b.keep("1-shop")
	b.click(`button[value="LAN-1"]`)
	b.sees(`#status[data-status="pending"]`)
	b.keep("2-thanks")
	b.click("#pay")
	b.sees(`[data-state="scan"]`)
	b.keep("3-checkout")
	b.click("#wallet")
	b.click("#pay")
	b.sees("#pin")
	b.keep("4-wallet")
	b.run("the PIN", chromedp.SendKeys("#pin", "1234"))
	b.click("#pin-ok")
	b.sees(`#status[data-status="PAID"]`)
	b.click("#back a")
	b.sees(`[data-state="paid"]`)
	b.keep("5-paid")
	b.click("#back")
	b.sees(`#status[data-status="processing"]`)
	b.keep("6-processing")
}
