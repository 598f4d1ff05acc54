// Package wallet tests the sandbox's wallet page with a real browser, Chromium, at the size of a phone: what the buyer reads,
// what the buttons do, and what getPaymentStatus then answers.
package wallet

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/test/browser"
)

// patience is how long the page may take to show something. A test that passes does not wait that long.
const patience = 2 * time.Minute

// TestWallet runs each scenario in a tab of its own, with a sandbox of its own.
func TestWallet(t *testing.T) {
	chromium := browser.Launch(t)
	for name, scenario := range map[string]func(*phone){
		"pay": pay, "decline": decline, "reversal": reversal, "expiry": expiry, "shop is faster": shopIsFaster, "static code": staticCode,
		"index": index,
	} {
		t.Run(name, func(t *testing.T) { scenario(open(t, chromium)) })
	}
}

func pay(b *phone) {
	p := b.checkout()
	p.reads("#shop", "Demo shop")
	p.reads("#rows", "Kaffe & bröd <färskt>")
	p.reads("#total", "149.50 SEK")
	p.reads("#status", "Waiting for you to pay")
	p.keep("issued")

	pay, decline := p.top("#pay"), p.top("#decline")
	p.click("#scan")
	p.reads("#status", "Confirm to pay")
	p.unusable("#scan")
	if p.top("#pay") != pay || p.top("#decline") != decline {
		b.t.Errorf("after the scan Pay moved from %v to %v, Decline from %v to %v", pay, p.top("#pay"), decline, p.top("#decline"))
	}
	p.click("#pay")
	p.reads("#pin-dialog", "149.50 SEK")
	if err := p.cancel(); codeOf(err) != seqr.CannotCancelInvoiceInProgress {
		b.t.Errorf("with the PIN dialog open, cancelInvoice: %v", err)
	}
	p.keep("pin")
	p.typeIn("#pin", "12")
	p.click("#pin-ok")
	p.reads("#pin-dialog", "Enter your PIN") // two digits are no PIN: the dialog stays
	p.typeIn("#pin", "34")
	p.click("#pin-ok")
	p.reads("#status", "Paid: the shop is being told")
	p.keep("paying")
	p.is(seqr.StatusPaid)
	p.readsExactly("#status", "Paid")
	p.reads("#back", "Back to the shop")
	p.gone("#pay")
	p.gone("#decline")
	p.keep("paid")
}

func decline(b *phone) {
	p := b.checkout()
	p.click("#scan")
	p.click("#decline")
	p.reads("#status", "You canceled")
	p.gone("#pay")
	p.keep("declined")
	p.is(seqr.StatusCanceled)
}

// reversal: the buyer sees that the money is back, and why.
func reversal(b *phone) {
	p := b.checkout()
	p.click("#pay")
	p.typeIn("#pin", "0000")
	p.click("#pin-ok")
	p.reads("#status", "Paid: the shop is being told")
	b.srv.Advance(25 * time.Second)
	p.reads("#status", "Your money is back")
	p.reads("#reason", "did not confirm your payment in time")
	p.keep("reversed")
	p.is(seqr.StatusCanceled)
}

func expiry(b *phone) {
	p := b.checkout()
	p.click("#scan")
	p.click("#pay")
	p.visible("#pin-dialog")
	b.srv.Advance(10 * time.Minute)
	p.reads("#status", "Too late to pay")
	p.reads("#reason", "Nothing was paid")
	p.gone("#pin-dialog")
	p.gone("#pay")
	p.keep("expired")
	p.is(seqr.StatusExpired)
}

// shopIsFaster: what the shop does shows on the page by itself.
func shopIsFaster(b *phone) {
	p := b.checkout()
	p.reads("#status", "Waiting for you to pay")
	if err := p.cancel(); err != nil {
		b.t.Fatal(err)
	}
	p.reads("#status", "Canceled by the shop")
	p.reads("#reason", "Nothing was paid")
	p.gone("#pay")
	p.keep("canceled")
}

// index: no word of the page is broken in the middle, however narrow the screen and long the ids.
func index(b *phone) {
	p := b.checkout()
	p.click("#decline")
	p.reads("#status", "You canceled")
	till := b.register("Kassa 1", "TILL1")
	p.as = seqr.Terminal(till, "till-secret")
	p.issue()
	p.opens("/")
	p.reads("main", till)
	p.reads("main", "CANCELED")
	p.keep("index")
	if broken := p.brokenWords(); len(broken) > 0 {
		b.t.Errorf("broken in the middle: %q", broken)
	}
}

// staticCode: a till's own code waits for its invoice, and then opens it.
func staticCode(b *phone) {
	till := seqr.Terminal(b.register("Kassa 1", "TILL1"), "till-secret")
	p := b.visit("/QTILL1")
	p.reads("#status", "Waiting for the shop")
	p.keep("till")
	p.as = till
	p.issue()
	p.visible("#total") // survives the page's move to the invoice, which polling does not
	p.reads("#total", "149.50 SEK")
	p.reads("#shop", "Kassa 1")
}
