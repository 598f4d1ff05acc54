package checkout

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// page is the data of the templates.
type page struct {
	Lang      Language
	Shop      string
	Style     string
	ShopStyle string
	Logo      string
	Script    string // "" for a page that does not change by itself
	Refresh   string // for a browser without scripts, or where there is no Script for every one: "3;url=…"
	Live      *live
	Languages []languageLink

	fragment

	OrderTitle, Title string
	Rows              []row
	Total             string
}

// fragment is the data of the part of a page that changes.
type fragment struct {
	Lang       Language
	State      State
	Tone, Sign string
	Headline   string
	Amount     string
	Text       []string
	Phone      bool // the buyer reads it on a phone
	App        template.URL
	TestWallet string // the invoice's page in the wallet of a sandbox
	QR         template.HTML
	Countdown  *countdown
	Again      *again
	Cancel     *cancel
	Back       string
	BackText   string
	BackIsMain bool // it is what most buyers do next
	Reload     string
}

type live struct {
	Events, Poll, Digest string
	Final                bool
}

type countdown struct {
	Left, Quarter int // seconds
	Pattern, Text string
	Shown         bool
}

type again struct{ URL, After string }

type cancel struct {
	URL, PageURL, Invoice string
	Asking                bool // the page is the question itself
}

type row struct{ Description, Quantity, Total string }

type languageLink struct {
	languageName
	URL     string
	Current bool
}

// T gives a text in the page's language.
func (f fragment) T(key string) string { return text(f.Lang, key) }

// refreshed is how often a browser without scripts asks again, in seconds.
const refreshed = 3

func (h *Checkout) servePage(w http.ResponseWriter, q request, o orderview.Order) {
	v := h.view(q, o)
	p := h.pageOf(q, o, v)
	address := q.address("", q.returned()...)
	p.Script = h.assets.url("checkout.js")
	p.Live = &live{Events: q.address("/live", q.returned()...), Poll: q.address("/poll", q.returned()...), Digest: v.digest(), Final: v.state.Final()}
	if !v.state.Final() {
		p.Refresh = fmt.Sprintf("%d;url=%s", refreshed, address)
	}
	h.remember(w, q)
	h.show(w, q, http.StatusOK, p)
}

// serveCancelPage asks whether to cancel, for browsers without scripts.
func (h *Checkout) serveCancelPage(w http.ResponseWriter, q request, o orderview.Order) {
	v := h.view(q, o)
	if !v.cancel {
		http.Redirect(w, q.Request, q.address(""), http.StatusSeeOther)
		return
	}
	p := h.pageOf(q, o, v)
	p.fragment = fragment{
		Lang: q.lang, State: v.state, Sign: "?", Headline: text(q.lang, "cancel.ask"), Amount: p.Amount, Text: []string{text(q.lang, "cancel.text")}, Cancel: p.Cancel,
	}
	p.Cancel.Asking = true
	h.show(w, q, http.StatusOK, p)
}

// view gives what the request's buyer is shown of the order now.
func (h *Checkout) view(q request, o orderview.Order) view {
	now := h.cfg.Bus.Now()
	return viewOf(o, now, q.returnedBefore(now))
}

// pageOf gives a page with everything of the order in it.
func (h *Checkout) pageOf(q request, o orderview.Order, v view) page {
	p := h.frame(q)
	p.fragment = h.fragmentOf(q, v)
	p.OrderTitle = text(q.lang, "order", "{order}", o.ID)
	p.Title = v.try.Order.Title
	p.Total = money(q.lang, v.total, v.currency)
	for _, r := range v.try.Order.Rows {
		n := ""
		if !r.Quantity.IsOne() {
			n = quantity(q.lang, r.Quantity)
		}
		if n != "" && r.Unit != "" {
			n += noBreak + r.Unit
		}
		p.Rows = append(p.Rows, row{r.Description, n, money(q.lang, r.Total, v.currency)})
	}
	return p
}

// frame gives a page without an order.
func (h *Checkout) frame(q request) page {
	p := page{Lang: q.lang, Shop: q.shop.Name, Style: h.assets.url("style.css"), ShopStyle: h.assets.url(colourFile(q.key.Shop))}
	p.Logo = h.assets.url(logoFile(q.key.Shop, q.shop))
	for _, l := range languages {
		values := q.URL.Query()
		values.Set("lang", string(l.Code))
		p.Languages = append(p.Languages, languageLink{l, pathOf(q.key) + "?" + values.Encode(), l.Code == q.lang})
	}
	return p
}

// tones and signs tell the states apart by more than words: a line's colour, and a sign for those who do not see colours.
var looks = map[State]struct{ tone, sign string }{
	Preparing: {"", "…"}, Scan: {"", ""}, Checking: {"", "…"}, Confirm: {"", "…"}, Canceling: {"", "…"},
	Paid: {"good", "✓"}, Late: {"bad", "↩"}, Refunded: {"good", "↩"},
	Canceled: {"bad", "✕"}, Expired: {"bad", "✕"}, Failed: {"bad", "✕"}, Rejected: {"bad", "✕"},
}

// fragmentOf gives the part of the page that changes.
func (h *Checkout) fragmentOf(q request, v view) fragment {
	look, phone := looks[v.state], q.phone
	f := fragment{
		Lang: q.lang, State: v.state, Tone: look.tone, Sign: look.sign, Headline: headline(q.lang, v, phone), Phone: phone,
		Amount: money(q.lang, v.total, v.currency), Text: explain(q.lang, v, q.shop.Name, phone), App: template.URL(v.appLink()),
	}
	if code := v.qrCode(); code != "" {
		label := template.HTMLEscapeString(text(q.lang, "qr", "{amount}", f.Amount))
		f.QR, _ = qrSVG(code, `role="img" aria-label="`+label+`"`) // a text that is too long for a code is left to the app's link
	}
	if h.cfg.TestWallet != "" && v.state == Scan {
		f.TestWallet = strings.TrimSuffix(h.cfg.TestWallet, "/") + "/R" + v.try.Invoice.InvoiceReference
	}
	if v.quarter > 0 {
		pattern := text(q.lang, "left")
		f.Countdown = &countdown{Left: int(v.left / time.Second), Quarter: int(v.quarter / time.Second), Pattern: pattern,
			Text: text(q.lang, "left", "{time}", clock(v.left)), Shown: v.showsLeft()}
	}
	if v.again {
		f.Again = &again{q.address("/again"), v.try.InvoiceID}
	}
	if v.cancel {
		f.Cancel = &cancel{URL: q.address("/cancel"), PageURL: q.address(""), Invoice: v.try.InvoiceID}
	}
	if v.state.Final() {
		f.Back = backLink(h.cfg.Links, q.shop, v.try.Order, q.secret())
		f.BackText, f.BackIsMain = text(q.lang, "back", "{shop}", q.shop.Name), f.Again == nil
	}
	return f
}

func headline(l Language, v view, phone bool) string {
	if v.state == Scan && phone && v.appLink() != "" {
		return text(l, "phone")
	}
	return text(l, string(v.state))
}

// explain gives what is said below the headline.
func explain(l Language, v view, shop string, phone bool) []string {
	var out []string
	say := func(key string, pairs ...string) { out = append(out, text(l, key, pairs...)) }
	amount := func(a events.Amount) string { return money(l, a, v.currency) }
	switch v.state {
	case Scan:
		if !phone || v.appLink() == "" {
			say("scan.text")
		}
	case Preparing, Checking, Confirm, Canceling, Late:
		say(string(v.state) + ".text")
	case Paid:
		say("paid.text", "{amount}", amount(v.total), "{shop}", shop)
	case Canceled, Expired, Failed, Rejected:
		if v.reversed {
			say("reversed")
		} else {
			say("nothing.paid")
		}
		if v.withdrawn {
			say("withdrawn")
		}
	}
	if v.slow {
		say("preparing.slow")
	}
	if v.refunded.Sign() > 0 {
		say("refund", "{amount}", amount(v.refunded))
	}
	if v.refunding.Sign() > 0 {
		say("refunding", "{amount}", amount(v.refunding))
	}
	return out
}

// lookAgain and looks bound how often the page of an order that is not there yet asks again: for a minute.
const (
	lookAgain = 5 // seconds
	mostLooks = 12
)

// showMissing answers for an order that is not there, and for a wrong key: the same page. The order may be on its way, when the
// buyer is quicker than the shop's system.
func (h *Checkout) showMissing(w http.ResponseWriter, q request) {
	q.shop = Shop{Name: noShop, FramedBy: q.shop.FramedBy}
	p := h.frame(q)
	p.ShopStyle, p.Logo = "", ""
	p.fragment = fragment{Lang: q.lang, State: "missing", Sign: "?", Headline: text(q.lang, "missing"), Text: []string{text(q.lang, "missing.text")}}
	n, _ := strconv.Atoi(q.URL.Query().Get("look")) // 0 where it is no number
	if n = max(n, 0) + 1; n <= mostLooks && q.secret() != "" {
		p.Refresh = fmt.Sprintf("%d;url=%s", lookAgain, q.address("", "look", strconv.Itoa(n)))
	}
	h.show(w, q, http.StatusNotFound, p)
}

// showUnreachable answers while the broker is away: it says nothing of how the order stands.
func (h *Checkout) showUnreachable(w http.ResponseWriter, q request) {
	p := h.frame(q)
	p.fragment = fragment{Lang: q.lang, State: "unreachable", Sign: "…", Headline: text(q.lang, "unreachable"), Text: []string{text(q.lang, "unreachable.text")}, Reload: q.address("")}
	p.Refresh = fmt.Sprintf("%d;url=%s", refreshed, q.address(""))
	w.Header().Set("Retry-After", strconv.Itoa(refreshed))
	h.show(w, q, http.StatusServiceUnavailable, p)
}

// show writes a page.
func (h *Checkout) show(w http.ResponseWriter, q request, status int, p page) {
	var body bytes.Buffer
	if err := h.templates.ExecuteTemplate(&body, "page", p); err != nil {
		h.cfg.Log.Error().Err(err).Msg("checkout page") // a mistake in a template; tests show each page
		http.Error(w, text(q.lang, "unreachable.text"), http.StatusServiceUnavailable)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Language", string(q.lang))
	head.Set("Content-Security-Policy", policy(q.shop.FramedBy))
	if len(q.shop.FramedBy) == 0 {
		head.Set("X-Frame-Options", "DENY")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a reader that has gone needs no answer
}

func (h *Checkout) serveQRSVG(w http.ResponseWriter, q request, o orderview.Order) {
	svg, err := qrSVG(h.view(q, o).qrCode(), `width="256" height="256"`)
	writeImage(w, q, "image/svg+xml", []byte(svg), err == nil && h.view(q, o).qrCode() != "")
}

func (h *Checkout) serveQRPNG(w http.ResponseWriter, q request, o orderview.Order) {
	png, err := qrPNG(h.view(q, o).qrCode())
	writeImage(w, q, "image/png", png, err == nil && h.view(q, o).qrCode() != "")
}

// writeImage writes a code; there is none once nothing can be paid by it.
func writeImage(w http.ResponseWriter, q request, kind string, body []byte, ok bool) {
	if !ok {
		http.NotFound(w, q.Request)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(body) // a reader that has gone needs no answer
}

// isPhone says whether the buyer's browser says that it is on a phone, where the app is.
func isPhone(r *http.Request) bool {
	return r.Header.Get("Sec-CH-UA-Mobile") == "?1" || strings.Contains(r.UserAgent(), "Mobi")
}
