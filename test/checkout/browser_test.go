package checkout

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/test/browser"
)

// device is what the buyer looks at the page with.
type device struct {
	name          string
	width, height int64
	scale         float64
	agent         string // "" is the browser's own
	touch         bool
}

var (
	phone    = device{"phone", 360, 740, 2, "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Mobile Safari/537.36", true}
	computer = device{"computer", 1280, 800, 1, "", false}
	zoomed   = device{"zoomed", 640, 400, 2, "", false} // a computer's screen at 200 %
	narrow   = device{"narrow", 320, 640, 2, "", false} // and at 400 %
)

// tab is one tab of the browser.
type tab struct {
	t   *testing.T
	ctx context.Context
	dev device
}

// tab opens a tab on the device.
func openTab(t *testing.T, browser context.Context, d device) *tab {
	t.Helper()
	alive, stop := context.WithTimeout(browser, 4*rig.Patience)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(alive)
	t.Cleanup(leave)
	b := &tab{t, ctx, d}
	options := []chromedp.EmulateViewportOption{chromedp.EmulateScale(d.scale)}
	if d.touch {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	b.run("the screen", chromedp.EmulateViewport(d.width, d.height, options...))
	if d.agent != "" {
		b.run("the device", userAgent(d.agent))
	}
	return b
}

func (b *tab) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b *tab) visit(address string) {
	b.t.Helper()
	b.run("opening "+address, chromedp.Navigate(address))
}

func (b *tab) reload() { b.t.Helper(); b.run("reloading", chromedp.Reload()) }

func (b *tab) click(selector string) {
	b.t.Helper()
	b.run("clicking "+selector, chromedp.Click(selector, chromedp.NodeVisible))
}

// eval gives the value of an expression in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until a function of the page gives true, on whatever page the tab is then.
func (b *tab) await(what, function string, args ...any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, rig.Patience)
	defer cancel()
	missing := rig.Until(ctx, func(context.Context) string {
		_, err := chromedp.Run(ctx, chromedp.PollFunction[bool](function, chromedp.WithPollingArgs(args...), chromedp.WithPollingTimeout(time.Second)))
		if err == nil {
			return ""
		}
		return err.Error() // the page may have gone to another
	})
	if missing == "" {
		return
	}
	seen, _ := chromedp.Run(b.ctx, chromedp.Text("body")) // only to say more about the failure
	b.keep("failed")
	b.t.Fatalf("waiting for %s: %s; the page reads:\n%s", what, missing, strings.TrimSpace(seen))
}

// is waits until the page is in that state.
func (b *tab) is(state string) {
	b.t.Helper()
	b.await("state "+state, `state => !!document.querySelector("[data-state=" + state + "]")`, state)
}

// reads waits until the buyer can read the text there.
func (b *tab) reads(selector, text string) {
	b.t.Helper()
	b.await(selector+" to read "+text, `(selector, text) => { const e = document.querySelector(selector); return !!e && e.checkVisibility() && e.innerText.replaceAll("\u00a0", " ").includes(text) }`, selector, text)
}

// sees waits until something is visible, and misses until it is not.
func (b *tab) sees(selector string) {
	b.t.Helper()
	b.await(selector+" to be seen", `selector => { const e = document.querySelector(selector); return !!e && e.checkVisibility() }`, selector)
}

func (b *tab) misses(selector string) {
	b.t.Helper()
	b.await(selector+" to go", `selector => { const e = document.querySelector(selector); return !e || !e.checkVisibility() }`, selector)
}

// keep is a picture of the whole page.
func (b *tab) keep(name string) {
	b.t.Helper()
	browser.Picture(b.t, b.ctx, filepath.Join(browser.Artifacts(b.t, "checkout"), name+"-"+b.dev.name+".png"))
}
