package checkout

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/test/browser"
)

func userAgent(agent string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent})
		return err
	})
}

// TestInABrowser runs each scenario on a phone and on a computer, with a checkout of its own.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	chromium := browser.Launch(t)
	devices := []device{phone, computer}
	if testing.Short() { // the server does the same for both
		devices = devices[:1]
	}
	for name, scenario := range map[string]func(*testing.T, context.Context, device){
		"pay": pay, "decline and try again": declineAndTryAgain, "expire": expire, "cancel": cancelIt, "sleep": sleep, "two tabs": twoTabs,
		"no scripts": noScripts, "slow network": slowNetwork, "no stream": noStream, "keyboard": keyboard, "broker away": brokerAway, "back from the app": backFromTheApp,
	} {
		for _, d := range devices {
			t.Run(name+" on a "+d.name, func(t *testing.T) { t.Parallel(); scenario(t, chromium, d) })
		}
	}
	t.Run("plugin", func(t *testing.T) { t.Parallel(); plugin(t, chromium) })
	if testing.Short() { // the rest is about how pages look
		return
	}
	t.Run("lengths and sizes", func(t *testing.T) { t.Parallel(); lengths(t, chromium) })
	t.Run("directions", func(t *testing.T) { t.Parallel(); directions(t, chromium) })
	t.Run("names", func(t *testing.T) { t.Parallel(); names(t, chromium) })
}

func pay(t *testing.T, browser context.Context, d device) {
	s := open(t, invoicer.Name)
	s.Place(order("1001"))
	b := openTab(t, browser, d)
	b.visit(s.page("1001"))
	b.reads("#headline", "Preparing your payment")
	b.keep("preparing")
	s.invoices()
	inv := s.Wait("1001", events.EventIssued)
	b.is("scan")
	b.reads("#amount", "SEK 1,249.50")
	b.reads("#total", "SEK 1,249.50")
	b.reads("table", "−96.50")
	b.sees("#qr svg")
	if d.touch { // the app first, the code second
		b.reads("#headline", "Pay with SEQR")
		if got := eval[string](b, `document.getElementById("app").getAttribute("href")`); got != inv.Link || !strings.HasPrefix(got, "SEQR") {
			t.Errorf("the app opens %q, expected %q", got, inv.Link)
		}
		if !eval[bool](b, `document.getElementById("app").getBoundingClientRect().bottom < document.querySelector("#qr svg").getBoundingClientRect().top && document.getElementById("app").getBoundingClientRect().bottom < innerHeight`) {
			t.Error("the app's button is not the first thing on the screen")
		}
	} else {
		b.reads("#headline", "Scan the code to pay")
		b.misses("#app")
		if !eval[bool](b, `document.querySelector("#qr svg").getBoundingClientRect().bottom < innerHeight`) {
			t.Error("the code is not on the first screen")
		}
	}
	b.misses("#left") // no countdown yet
	b.keep("scan")
	b.reload()
	b.is("scan")
	s.Pay(inv.InvoiceReference)
	b.reads("#headline", "Paid")
	b.reads("#state", "Thank you! You have paid SEK 1,249.50 to Kaffebönan.")
	b.await("the announcement", `() => document.getElementById("announce").textContent.startsWith("Paid. ")`)
	b.misses("#qr")
	b.misses("#app")
	if got := eval[string](b, `document.getElementById("back").href`); !strings.HasPrefix(got, "https://shop.example/order-received/1001/?key=") {
		t.Errorf("back to %q", got)
	}
	b.keep("paid")
	b.reload()
	b.is("paid")
	s.Return("1001", "r1", "49.50")
	b.reads("#state", "SEK 49.50 has been paid back to you.")
	b.keep("partly-refunded")
	s.Return("1001", "r2", "")
	b.is("refunded")
	b.keep("refunded")
	b.reload()
	b.is("refunded")
	if n := s.lastOrders(); n != 3 {
		t.Errorf("%d events of the order, expected it and two returns: reloading began another try", n)
	}
}

func (s *shop) decline(inv events.Invoice) {
	s.t.Helper()
	if err := s.Sandbox.Decline(inv.InvoiceReference); err != nil {
		s.t.Fatal(err)
	}
}

func declineAndTryAgain(t *testing.T, browser context.Context, d device) {
	s := open(t)
	inv := s.placed("1001")
	b := openTab(t, browser, d)
	b.visit(s.page("1001"))
	b.is("scan")
	s.decline(inv)
	b.reads("#headline", "Payment canceled")
	b.misses("#qr")
	b.sees("#back")
	b.keep("canceled")
	b.reload()
	b.is("canceled")
	b.click("#again")
	second := s.Wait("1001-2", events.EventIssued)
	b.is("scan")
	s.Pay(second.InvoiceReference)
	b.is("paid")
	if n := s.lastOrders(); n != 2 {
		t.Errorf("%d events of the order", n)
	}
}

func expire(t *testing.T, browser context.Context, d device) {
	s := open(t)
	o := order("1001")
	o.ValidFor = events.Duration(8 * time.Second) // the countdown is shown for the last 2
	s.Place(o)
	s.Wait("1001", events.EventIssued)
	b := openTab(t, browser, d)
	b.visit(s.page("1001"))
	b.reads("#left", "Time left: 0:0")
	b.keep("last-quarter")
	b.reads("#headline", "The time to pay is over")
	b.misses("#qr")
	b.sees("#again")
	b.keep("expired")
	b.reload()
	b.is("expired")
}

func cancelIt(t *testing.T, browser context.Context, d device) {
	s := open(t, canceler.Name)
	s.placed("1001")
	b := openTab(t, browser, d)
	b.visit(s.page("1001"))
	b.click("#cancel")
	b.reads("#cancel-dialog", "Cancel this payment?")
	b.keep("cancel")
	b.click("#cancel-dialog #cancel-no")
	b.misses("#cancel-dialog")
	if n := s.lastOrders(); n != 1 {
		t.Errorf("%d events: canceled without a yes", n)
	}
	b.click("#cancel")
	b.click("#cancel-dialog #cancel-yes")
	b.reads("#headline", "Canceling the payment")
	b.misses("#qr")
	b.keep("canceling")
	b.reload()
	b.is("canceling")
	s.cancels()
	b.is("canceled")
}

// sleep: the payment comes while the page is frozen and its stream is gone; once it is looked at again it asks at once.
func sleep(t *testing.T, browser context.Context, d device) {
	s := open(t)
	inv := s.placed("1001")
	b := openTab(t, browser, d)
	b.visit(s.page("1001"))
	b.is("scan")
	select {
	case <-s.opened:
	case <-time.After(rig.Patience):
		t.Fatal("the page opens no stream")
	}
	b.offline(true)
	s.pages.cut()
	s.Pay(inv.InvoiceReference)
	s.Wait("1001", events.EventPaid)
	b.sees("#offline")
	b.keep("offline")
	b.offline(false)
	b.is("paid")
	b.misses("#offline")
}

func (b *tab) offline(off bool) {
	b.t.Helper()
	b.network(network.Conditions{Offline: off, DownloadThroughput: -1, UploadThroughput: -1})
}

func (b *tab) network(c network.Conditions) {
	b.t.Helper()
	b.run("the network", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{&c}})
		return err
	}))
}
