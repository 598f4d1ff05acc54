package wallet

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func invoice() seqr.Invoice {
	sek := func(v string) seqr.Amount { return seqr.Amount{Currency: "SEK", Value: decimal.MustParse(v)} }
	return seqr.Invoice{
		Title: "Order 1001", ClientInvoiceID: "1001", Total: sek("149.50"), Footer: "Tack för att du handlar hos oss!",
		BackURL: "https://shop.example/back",
		Rows: []seqr.InvoiceRow{
			{Description: "Kaffe & bröd <färskt>", Quantity: decimal.MustParse("2"), Total: sek("119.00")},
			{Description: "Räksmörgås, stor, med ägg, majonnäs och dill", Quantity: decimal.MustParse("0.5"), Total: sek("45.50")},
			{Description: "Rabatt", Quantity: decimal.One, Total: sek("-15.00")},
		},
	}
}

// page is the page that the buyer sees.
type page struct {
	*phone
	as        seqr.Principal
	reference string
}

// opens an address, on a screen of a phone's size.
func (p *page) opens(path string) {
	p.t.Helper()
	p.run("opening the page", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2)), chromedp.Navigate(p.srv.URL+path))
}

func (p *page) issue() {
	p.t.Helper()
	sent, err := p.client.SendInvoice(p.t.Context(), seqr.SendInvoice{As: p.as, Invoice: invoice()})
	if err != nil {
		p.t.Fatal(err)
	}
	p.reference = sent.Reference
}

func (p *page) is(want seqr.InvoiceStatus) {
	p.t.Helper()
	s, err := p.client.GetPaymentStatus(p.t.Context(), seqr.GetPaymentStatus{As: p.as, InvoiceReference: p.reference})
	if err != nil || s.Status != want {
		p.t.Fatalf("the shop is told %s, %v; want %s", s.Status, err, want)
	}
}

func (p *page) cancel() error {
	return p.client.CancelInvoice(p.t.Context(), seqr.CancelInvoice{As: p.as, InvoiceReference: p.reference})
}

func codeOf(err error) seqr.ResultCode {
	code, _ := seqr.CodeOf(err)
	return code
}

func (p *page) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.tab, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func (p *page) click(selector string) {
	p.t.Helper()
	p.run("clicking "+selector, chromedp.Click(selector, chromedp.NodeVisible))
}

func (p *page) typeIn(selector, text string) {
	p.t.Helper()
	p.run("typing into "+selector, chromedp.SendKeys(selector, text, chromedp.NodeVisible))
}

func (p *page) visible(selector string) {
	p.t.Helper()
	p.run("looking for "+selector, chromedp.WaitVisible(selector))
}

// The text that is visible: what is hidden has none.
const (
	holds = `(selector, text) => { const e = document.querySelector(selector); return !!e && e.checkVisibility() && e.innerText.includes(text) }`
	equal = `(selector, text) => { const e = document.querySelector(selector); return !!e && e.checkVisibility() && e.innerText.trim() === text }`
	idle  = `selector => { const e = document.querySelector(selector); return !!e && e.disabled }`
	none  = `selector => { const e = document.querySelector(selector); return !e || !e.checkVisibility() }`
)

// reads waits until the buyer can read the text there.
func (p *page) reads(selector, text string) {
	p.t.Helper()
	p.await(selector+" to read "+text, holds, selector, text)
}

func (p *page) readsExactly(selector, text string) {
	p.t.Helper()
	p.await(selector+" to read exactly "+text, equal, selector, text)
}

// gone waits until the buyer can't see it.
func (p *page) gone(selector string) { p.t.Helper(); p.await(selector+" to go", none, selector) }

// unusable waits until the button does nothing any more.
func (p *page) unusable(selector string) {
	p.t.Helper()
	p.await(selector+" to be disabled", idle, selector)
}

// top is how far down the page something begins, in CSS pixels.
func (p *page) top(selector string) float64 {
	p.t.Helper()
	y, err := chromedp.Run(p.tab, chromedp.PollFunction[float64](`selector => document.querySelector(selector).getBoundingClientRect().top`,
		chromedp.WithPollingArgs(selector), chromedp.WithPollingTimeout(patience)))
	if err != nil {
		p.t.Fatalf("where %s is: %v", selector, err)
	}
	return y
}

// brokenWords are the words that stand on more than one line; where a hyphen or a slash ends a line, too.
func (p *page) brokenWords() []string {
	p.t.Helper()
	words, err := chromedp.Run(p.tab, chromedp.Evaluate[[]string](`(() => {
		const broken = [], walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
		for (let n; n = walk.nextNode();) {
			for (const word of n.data.matchAll(/[^\s]+/g)) {
				const r = document.createRange();
				r.setStart(n, word.index);
				r.setEnd(n, word.index + word[0].length);
				if (new Set([...r.getClientRects()].map(c => Math.round(c.top))).size > 1) broken.push(word[0]);
			}
		}
		return broken;
	})()`))
	if err != nil {
		p.t.Fatal(err)
	}
	return words
}

func (p *page) await(what, function string, args ...any) {
	p.t.Helper()
	_, err := chromedp.Run(p.tab, chromedp.PollFunction[bool](function, chromedp.WithPollingArgs(args...), chromedp.WithPollingTimeout(patience)))
	if err == nil {
		return
	}
	seen, _ := chromedp.Run(p.tab, chromedp.Text("body")) // only to say more about the failure
	p.keep("failed")
	p.t.Fatalf("waiting for %s: %v; the page reads:\n%s", what, err, strings.TrimSpace(seen))
}

// keep is a picture of the whole page.
func (p *page) keep(name string) {
	p.t.Helper()
	png, err := chromedp.Run(p.tab, chromedp.CaptureScreenshot())
	if err != nil || len(png) == 0 {
		p.t.Fatalf("a picture of %d bytes: %v", len(png), err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
