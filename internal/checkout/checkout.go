package checkout

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/internal/sometimes"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Checkout serves everything under /pay/. It is safe for concurrent use.
type Checkout struct {
	cfg       Config
	mux       *http.ServeMux
	assets    assets
	templates *template.Template
	sometimes sometimes.Sometimes
}

// New makes the handler of the checkout pages.
func New(c Config) (*Checkout, error) {
	if len(c.Links.keys) == 0 {
		return nil, errors.New("checkout: no links")
	}
	a, err := newAssets(c.Shops)
	if err != nil {
		return nil, err
	}
	t, err := template.ParseFS(staticFiles, "static/*.html")
	if err != nil {
		return nil, err
	}
	h := &Checkout{cfg: c, mux: http.NewServeMux(), assets: a, templates: t}
	h.mux.HandleFunc("GET "+assetPath+"{file}", a.serve)
	const order = "/pay/{shop}/{order}"
	h.mux.HandleFunc("GET "+order, h.forOrder(h.servePage))
	h.mux.HandleFunc("GET "+order+"/cancel", h.forOrder(h.serveCancelPage))
	h.mux.HandleFunc("GET "+order+"/qr.svg", h.forOrder(h.serveQRSVG))
	h.mux.HandleFunc("GET "+order+"/qr.png", h.forOrder(h.serveQRPNG))
	h.mux.HandleFunc("GET "+order+"/poll", h.forOrder(h.servePoll))
	h.mux.HandleFunc("GET "+order+"/live", h.serveLive)
	h.mux.HandleFunc("GET "+order+"/status", h.servePlugin)
	h.mux.HandleFunc("OPTIONS "+order+"/status", h.servePlugin)
	h.mux.HandleFunc("GET "+order+"/return", h.serveReturn)
	protected := http.NewCrossOriginProtection()
	h.mux.Handle("POST "+order+"/cancel", protected.Handler(h.forOrder(h.cancel)))
	h.mux.Handle("POST "+order+"/again", protected.Handler(h.forOrder(h.again)))
	return h, nil
}

// ServeHTTP answers a request.
func (h *Checkout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Referrer-Policy", "no-referrer") // the address has the key
	head.Set("X-Content-Type-Options", "nosniff")
	h.mux.ServeHTTP(w, r)
}

// request is a request about one order.
type request struct {
	*http.Request
	key  events.OrderKey
	lang Language
	shop Shop

	phone   bool // the buyer reads it on a phone
	unnamed bool // the settings have no name of the shop
}

// read takes the ids in the path as the shop writes them, or as the tokens that subjects have.
func (h *Checkout) read(r *http.Request) request {
	token := func(name string) string {
		if id := r.PathValue(name); !events.IsToken(id) {
			return events.Token(id)
		}
		return r.PathValue(name)
	}
	q := request{Request: r, key: events.OrderKey{Shop: token("shop"), Order: token("order")}, lang: languageOf(r), phone: isPhone(r)}
	if q.shop = h.cfg.Shops[q.key.Shop]; q.shop.Name == "" {
		q.shop.Name, q.unnamed = noShop, true
	}
	return q
}

// noShop stands for the shop's name where none is known. The address does not name it: who has made it is not known.
const noShop = "SEQR"

// of gives the request with the shop's id as its name, if the settings have none.
func (q request) of(o orderview.Order) request {
	if q.unnamed {
		q.shop.Name = o.Shop
	}
	return q
}

// secret gives the key in the request's address.
func (q request) secret() string { return q.URL.Query().Get("key") }

// loadTime bounds how long a page waits for the broker before it says that it cannot see.
const loadTime = 4 * time.Second

// load reads the order of a request. The error is orderview.ErrUnknown for an order that is not known and for a wrong key alike.
func (h *Checkout) load(q request) (orderview.Order, error) {
	ctx, cancel := context.WithTimeout(q.Context(), loadTime)
	defer cancel()
	secret := q.secret()
	if secret == "" {
		return orderview.Order{}, orderview.ErrUnknown
	}
	signed := h.cfg.Links.signed(q.key, secret)
	o, err := orderview.Load(ctx, h.cfg.Bus, q.key, func(o orderview.Order) bool { return fromShop(o.BuyerKeyHashes, secret) || signed })
	if err != nil && !errors.Is(err, orderview.ErrUnknown) && q.Context().Err() == nil && h.sometimes.OK("load") {
		h.cfg.Log.Warn().Err(err).Str("shop", q.key.Shop).Str("order", q.key.Order).Msg("checkout cannot read an order; buyers see that it is being checked")
	}
	return o, err
}

// forOrder gives a handler that is called with the order. Others are answered: 404 without a good key, 503 while the broker is away.
func (h *Checkout) forOrder(serve func(http.ResponseWriter, request, orderview.Order)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := h.read(r)
		o, err := h.load(q)
		switch {
		case errors.Is(err, orderview.ErrUnknown):
			h.showMissing(w, q)
		case err != nil:
			h.showUnreachable(w, q)
		default:
			serve(w, q.of(o), o)
		}
	}
}

// address gives the address of a page of the order, with the key and, if the buyer has chosen one, the language. The pairs are more
// parameters.
func (q request) address(below string, pairs ...string) string {
	asked := q.URL.Query()
	values := "?key=" + escape(asked.Get("key"))
	if l := asked.Get("lang"); indexOf(Language(l)) >= 0 {
		pairs = append(pairs, "lang", l)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		values += "&" + pairs[i] + "=" + escape(pairs[i+1])
	}
	return pathOf(q.key) + below + values
}

// policy is the Content-Security-Policy of a page: nothing but our own files, no script in the page, no frame but of the shop's sites.
func policy(framedBy []string) string {
	ancestors := "'none'"
	if len(framedBy) > 0 {
		ancestors = strings.Join(framedBy, " ")
	}
	return fmt.Sprintf("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors %s", ancestors)
}
