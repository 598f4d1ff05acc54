package checkout

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	"github.com/seqrflow/seqrflow/services/poller"
)

func twoTabs(t *testing.T, browser context.Context, d device) {
	s := open(t)
	inv := s.placed("1001")
	one, two := openTab(t, browser, d), openTab(t, browser, d)
	one.visit(s.page("1001"))
	two.visit(s.page("1001"))
	one.is("scan")
	two.is("scan")
	s.decline(inv)
	one.is("canceled")
	two.is("canceled")
	one.click("#again")
	second := s.Wait("1001-2", events.EventIssued)
	one.is("scan")
	two.is("scan") // the other is told, too
	s.Pay(second.InvoiceReference)
	one.is("paid")
	two.is("paid")
	if n := s.lastOrders(); n != 2 {
		t.Errorf("%d events of the order", n)
	}
}

// noScripts: the page asks again by itself; cancel asks on a page of its own.
func noScripts(t *testing.T, browser context.Context, d device) {
	s := open(t, invoicer.Name)
	s.Place(order("1001"))
	b := openTab(t, browser, d)
	b.run("no scripts", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	b.visit(s.page("1001"))
	b.is("preparing")
	s.invoices()
	s.Wait("1001", events.EventIssued)
	b.is("scan")
	b.keep("no-scripts")
	b.click("#cancel")
	b.reads("#headline", "Cancel this payment?")
	b.keep("cancel-no-scripts")
	b.click("#cancel-no")
	b.is("scan")
	b.click("#cancel")
	b.click("#cancel-yes")
	b.is("canceled")
	b.click("#again")
	second := s.Wait("1001-2", events.EventIssued)
	b.is("scan")
	s.Pay(second.InvoiceReference)
	b.is("paid")
}

func slowNetwork(t *testing.T, browser context.Context, d device) {
	s := open(t)
	inv := s.placed("1001")
	b := openTab(t, browser, d)
	b.network(network.Conditions{Latency: 800, DownloadThroughput: 20 << 10, UploadThroughput: 5 << 10})
	b.visit(s.page("1001"))
	b.is("scan")
	s.Pay(inv.InvoiceReference)
	b.is("paid")
	if size := eval[float64](b, `performance.getEntries().reduce((sum, e) => sum + (e.transferSize || 0), 0)`); size > 60<<10 {
		t.Errorf("the page loads %.0f bytes", size)
	}
}

// noStream: something on the way lets no stream through; the page asks, one question after another.
func noStream(t *testing.T, browser context.Context, d device) {
	s := open(t)
	s.block = "/live"
	inv := s.placed("1001")
	b := openTab(t, browser, d)
	b.visit(s.page("1001"))
	b.is("scan")
	s.Pay(inv.InvoiceReference)
	b.is("paid")
	if most := s.atOnce.Load(); most > 1 {
		t.Errorf("%d questions at once", most)
	}
}

// keyboard: every control is reached in the order in which it is read, the focus is seen, and nothing is lost when the state changes.
func keyboard(t *testing.T, browser context.Context, d device) {
	s := open(t)
	inv := s.placed("1001")
	b := openTab(t, browser, d)
	b.visit(s.page("1001"))
	b.is("scan")
	want := []string{"cancel"}
	if d.touch {
		want = []string{"app", "cancel"}
	}
	for _, id := range want {
		b.key("\t")
		if got := eval[string](b, `document.activeElement.id`); got != id {
			t.Errorf("the focus is at %q, expected %q", got, id)
		}
		if got := eval[string](b, `getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth`); got != "solid3px" {
			t.Errorf("%s: the focus is not seen: %s", id, got)
		}
	}
	b.keep("focus")
	b.key("\r")
	b.sees("#cancel-dialog")
	b.key("\u001b") // closes the dialog, and the focus is where it was
	b.misses("#cancel-dialog")
	if got := eval[string](b, `document.activeElement.id`); got != "cancel" {
		t.Errorf("after the dialog the focus is at %q", got)
	}
	s.decline(inv)
	b.is("canceled")
	b.await("the focus at the headline", `() => document.activeElement.id === "headline"`)
	b.key("\t")
	if got := eval[string](b, `document.activeElement.id`); got != "again" {
		t.Errorf("the focus is at %q, expected again", got)
	}
	b.key("\r")
	second := s.Wait("1001-2", events.EventIssued)
	b.is("scan")
	s.Pay(second.InvoiceReference)
	b.is("paid")
}

func (b *tab) key(keys string) { b.t.Helper(); b.run("typing", chromedp.KeyEvent(keys)) }

func brokerAway(t *testing.T, browser context.Context, d device) {
	s := open(t)
	inv := s.placed("1001")
	b := openTab(t, browser, d)
	s.way.cut()
	b.visit(s.page("1001"))
	b.reads("#headline", "Checking")
	b.misses("#qr")
	b.keep("unreachable")
	s.Pay(inv.InvoiceReference)
	s.Wait("1001", events.EventPaid)
	s.way.set(false)
	b.is("paid")
}

func backFromTheApp(t *testing.T, browser context.Context, d device) {
	s := open(t, poller.Name)
	inv := s.placed("1001")
	b := openTab(t, browser, d)
	b.visit(s.page("1001"))
	b.is("scan")
	s.Pay(inv.InvoiceReference)
	b.visit(s.links.Return(rig.Shop, "1001"))
	b.reads("#headline", "Checking your payment")
	b.misses("#qr")
	b.keep("checking")
	s.poll()
	b.is("paid")
	b.visit(s.links.Return(rig.Shop, "nothing"))
	b.keep("returned")
	b.visit(s.page("nothing"))
	b.reads("#headline", "This page is not here")
	b.keep("missing")
}

// pluginPage asks as the provider's browser plugin does: each second from another site, until the status is not ISSUED.
const pluginPage = `<!doctype html><html lang="en"><body><p id="asked">0</p><p id="status"></p><script>
const ask = () => {
  const r = new XMLHttpRequest();
  r.onload = () => {
    document.getElementById("asked").textContent = Number(document.getElementById("asked").textContent) + 1;
    if (r.status === 404) { document.getElementById("status").textContent = "ended"; return; }
    if (r.status === 200) {
      const answer = JSON.parse(r.responseText);
      document.getElementById("status").textContent = answer.status;
      if (answer.status !== "ISSUED") { document.body.dataset.stopped = "1"; return; }
    }
    setTimeout(ask, 1000);
  };
  r.onerror = () => setTimeout(ask, 1000);
  r.open("GET", %q);
  r.send();
};
ask();
</script></body></html>`

// plugin: it asks on while the invoice is issued, reserved or the broker away, and stops once it is paid.
func plugin(t *testing.T, browser context.Context) {
	s := open(t, invoicer.Name)
	s.Place(order("1001"))
	address := below(s.page("1001"), "/status")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, pluginPage, address)
	}))
	t.Cleanup(func() { site.CloseClientConnections(); site.Close() })
	b := openTab(t, browser, computer)
	b.visit(site.URL)
	b.reads("#status", "ISSUED")
	s.invoices()
	inv := s.Wait("1001", events.EventIssued)
	s.way.cut()
	asked := eval[string](b, `document.getElementById("asked").textContent`)
	b.await("more questions", `asked => Number(document.getElementById("asked").textContent) > Number(asked) + 1`, asked)
	s.way.set(false)
	s.Pay(inv.InvoiceReference)
	b.reads("#status", "PAID")
	if !eval[bool](b, `document.body.dataset.stopped === "1"`) {
		t.Error("it goes on")
	}
	address = below(s.page("nothing"), "/status")
	b.visit(site.URL)
	b.reads("#status", "ended")
}

// lengths: no language and no size makes anything stick out or cover another.
func lengths(t *testing.T, browser context.Context) {
	s := open(t, canceler.Name)
	inv := s.placed("1001")
	long := order("2002")
	long.Rows[0].Description = strings.Repeat("Donaudampfschifffahrtsgesellschaftskapitän", 3)
	long.Title = strings.Repeat("Rindfleischetikettierungsüberwachung", 3)
	long.ValidFor = events.Duration(time.Hour)
	s.Place(long)
	s.Wait("2002", events.EventIssued)
	s.decline(inv)
	s.Wait("1001", events.EventCanceled)
	for _, d := range []device{phone, computer, zoomed, narrow} {
		b := openTab(t, browser, d) // few at once: a browser has six connections to a site, and each open page takes one
		for _, lang := range []string{"en", "sv", "nb", "da", "fi", "de"} {
			for name, id := range map[string]string{"scan": "2002", "canceled": "1001"} {
				b.visit(s.page(id) + "&lang=" + lang)
				b.is(name)
				if got := eval[string](b, `document.documentElement.lang`); got != lang {
					t.Errorf("lang %q, expected %q", got, lang)
				}
				if wide := eval[float64](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
					t.Errorf("%s, %s, %s: %v px wider than the screen", name, lang, d.name, wide)
				}
				if out := eval[string](b, `[...document.querySelectorAll("a, button, h1, td, th, p")].filter(e => e.checkVisibility() && e.id !== "announce" && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0).map(e => e.textContent.trim()).join("; ")`); out != "" {
					t.Errorf("%s, %s, %s: sticks out: %s", name, lang, d.name, out)
				}
				b.keep(name + "-" + lang)
			}
		}
	}
}

// names: what a screen reader says of each control and picture, and that headings and the page have names.
func names(t *testing.T, browser context.Context) {
	s := open(t)
	s.placed("1001")
	b := openTab(t, browser, phone)
	b.visit(s.page("1001"))
	b.is("scan")
	for selector, want := range map[string]string{
		"#qr svg": "QR code for paying SEK 1,249.50 with SEQR", "#app": "Open SEQR", "#cancel": "Cancel the payment", "nav": "Language", "h1": "Pay with SEQR",
	} {
		name := eval[string](b, fmt.Sprintf(`(e => e.getAttribute("aria-label") || [...e.childNodes].filter(n => !n.getAttribute || n.getAttribute("aria-hidden") !== "true").map(n => n.textContent).join("").trim())(document.querySelector(%q))`, selector))
		if got := strings.ReplaceAll(name, "\u00a0", " "); got != want {
			t.Errorf("%s is called %q, expected %q", selector, got, want)
		}
	}
	if got := eval[string](b, `document.title`); got != "Pay with SEQR – Kaffebönan" {
		t.Errorf("title %q", got)
	}
	if n := eval[float64](b, `document.querySelectorAll("main").length * document.querySelectorAll("h1").length`); n != 1 {
		t.Errorf("%v main headings", n)
	}
	if got := eval[string](b, `getComputedStyle(document.getElementById("app")).backgroundColor + " " + getComputedStyle(document.getElementById("app")).color`); got != "rgb(255, 194, 14) rgb(0, 0, 0)" {
		t.Errorf("the button in the shop's colour: %s", got)
	}
}

// directions: a description that is written from right to left, or turns the direction of what follows, leaves its quantity as it is.
func directions(t *testing.T, browser context.Context) {
	s := open(t)
	o := order("1001")
	for i, description := range []string{"קפה בסל", "Mug \u202eturned", "Mug \u2067turned"} {
		o.Rows[i].Description, o.Rows[i].Quantity, o.Rows[i].Unit = description, rig.Amount("12").Decimal(), "pcs"
	}
	s.Place(o)
	s.Wait("1001", events.EventIssued)
	b := openTab(t, browser, computer)
	b.visit(s.page("1001"))
	b.is("scan")
	if got := eval[string](b, `[...document.querySelectorAll("th .soft")].map(e => {
		const box = (node, from, to) => { const r = document.createRange(); r.setStart(node, from); r.setEnd(node, to); return r.getBoundingClientRect(); };
		const what = document.createRange();
		what.selectNodeContents(e.parentNode.firstChild);
		const text = e.firstChild, times = box(text, 0, 1), one = box(text, 2, 3), two = box(text, 3, 4), unit = box(text, 5, 6);
		return what.getBoundingClientRect().right <= times.left + 1 && times.right < one.left && one.left < two.left && two.right < unit.left ? "" : e.parentNode.textContent;
	}).filter(text => text).join("; ")`); got != "" {
		t.Errorf("not in the order in which it is read: %q", got)
	}
	b.keep("directions")
}
