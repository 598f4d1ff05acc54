package sandbox

import (
	"bytes"
	"crypto/rand"
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed pages
var pageFiles embed.FS

// pages parses the templates when the first page is shown.
var pages = sync.OnceValue(func() *template.Template { return template.Must(template.ParseFS(pageFiles, "pages/*.html")) })

// page is the data of every template.
type page struct {
	Nonce    string
	Title    string
	Invoice  walletView
	Shop     string
	Base     string
	Terminal []Terminal
	Reseller []Reseller
	Recent   []Invoice
	Now      time.Time
	Manual   bool
}

// show writes a page. Its Content-Security-Policy lets it load nothing and run only its own script.
func show(w http.ResponseWriter, status int, name string, p page) {
	p.Nonce = rand.Text()
	var body bytes.Buffer
	if err := pages().ExecuteTemplate(&body, name, p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+p.Nonce+"'; script-src 'nonce-"+p.Nonce+
		"'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a reader that has gone needs no answer
}

// serveInvoicePage is the buyer's page of an invoice.
func (s *Sandbox) serveInvoicePage(w http.ResponseWriter, r *http.Request) {
	v, known := s.view(strings.TrimPrefix(r.URL.Path, "/R"))
	if !known {
		show(w, http.StatusNotFound, "missing.html", page{Title: "No such invoice"})
		return
	}
	show(w, http.StatusOK, "invoice.html", page{Title: v.Shop, Invoice: v})
}

// serveTerminalPage answers for a terminal's static code: it redirects to the live invoice, or shows a page that waits for one.
func (s *Sandbox) serveTerminalPage(w http.ResponseWriter, r *http.Request) {
	shop, ref, known := s.showing(strings.TrimPrefix(r.URL.Path, "/Q"))
	switch {
	case !known:
		show(w, http.StatusNotFound, "missing.html", page{Title: "No such terminal"})
	case ref != "":
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, "/R"+ref, http.StatusFound)
	default:
		show(w, http.StatusOK, "terminal.html", page{Title: shop, Shop: shop})
	}
}

// serveIndex is the start page. It shows the demo credentials, which are no secret, and no others.
func (s *Sandbox) serveIndex(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "SEQR sandbox", Manual: s.cfg.ManualClock, Base: strings.TrimSuffix(s.cfg.BaseURL, "/")}
	if p.Base == "" {
		p.Base = "http://" + r.Host
	}
	p.Recent, p.Now = s.recent(50)
	if slices.Contains(s.cfg.Terminals, DemoTerminals()[0]) {
		p.Terminal = DemoTerminals()
	}
	if slices.Contains(s.cfg.Resellers, DemoResellers()[0]) {
		p.Reseller = DemoResellers()
	}
	show(w, http.StatusOK, "index.html", p)
}
