package shopsim

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

var pageTemplates = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// Page is a small shop to click through in a browser: products with a buy button, and a thank-you page that leads to the checkout
// page. It works without scripts. It also serves the REST API of its Woo. It is safe for concurrent use.
type Page struct {
	Woo      *Woo
	Shop     string // the shop's id at seqrflow
	Checkout string // the address of the checkout pages, such as http://127.0.0.1:8080; "" where there are none
	Products []Item // DemoProducts unless given
}

// DemoProducts are what the demo's shop sells.
var DemoProducts = []Item{
	{Name: "Storm lantern", SKU: "LAN-1", Price: "249", TaxRate: "25"},
	{Name: "Wool socks, two pairs", SKU: "SOC-2", Price: "159", TaxRate: "25"},
	{Name: "A book about the sea", SKU: "BOK-7", Price: "189", TaxRate: "6"},
}

// statusWords are an order's status in words to the buyer.
var statusWords = map[string]string{
	"pending": "Waiting for your payment", "on-hold": "Waiting for your payment", "processing": "Paid: we are packing your parcel", "completed": "Paid and sent",
	"cancelled": "Canceled", "failed": "The payment failed", "refunded": "Paid back",
}

// ServeHTTP serves the pages, and /wp-json/ for the API.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/wp-json/") {
		p.Woo.ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address of the thank-you page has the order's key
	id, thanks := strings.CutPrefix(r.URL.Path, "/thanks/")
	switch reads := r.Method == http.MethodGet || r.Method == http.MethodHead; {
	case r.URL.Path == "/" && reads:
		render(w, "products.html", p.products())
	case r.URL.Path == "/style.css" && reads:
		http.ServeFileFS(w, r, pageFiles, "pages/style.css")
	case r.URL.Path == "/buy" && r.Method == http.MethodPost:
		p.buy(w, r)
	case thanks && reads:
		p.thanks(w, r, id)
	default:
		http.NotFound(w, r)
	}
}

func (p *Page) products() []Item {
	if p.Products == nil {
		return DemoProducts
	}
	return p.Products
}

func (p *Page) buy(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	products := p.products()
	i := slices.IndexFunc(products, func(item Item) bool { return item.SKU == r.FormValue("sku") })
	if i < 0 {
		http.Error(w, "sku: there is no such product", http.StatusBadRequest)
		return
	}
	o := p.Woo.Place(Cart{Items: products[i : i+1]})
	http.Redirect(w, r, "/thanks/"+strconv.FormatInt(o.ID, 10)+"?key="+url.QueryEscape(o.OrderKey), http.StatusSeeOther)
}

// thanks shows an order to the buyer, who has its key.
func (p *Page) thanks(w http.ResponseWriter, r *http.Request, text string) {
	id, _ := strconv.ParseInt(text, 10, 64)
	o, err := p.Woo.Order(id)
	if err != nil || r.URL.Query().Get("key") != o.OrderKey {
		http.NotFound(w, r)
		return
	}
	data := struct {
		WooOrder
		Words, Pay string
		Waiting    bool
	}{WooOrder: o, Words: statusWords[o.Status], Waiting: o.Status == "pending" || o.Status == "on-hold"}
	if p.Checkout != "" {
		data.Pay = strings.TrimSuffix(p.Checkout, "/") + "/pay/" + url.PathEscape(p.Shop) + "/" + o.Number + "?key=" + url.QueryEscape(o.OrderKey)
	}
	render(w, "thanks.html", data)
}

func render(w http.ResponseWriter, name string, data any) {
	var b bytes.Buffer
	if err := pageTemplates.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = b.WriteTo(w)
}
