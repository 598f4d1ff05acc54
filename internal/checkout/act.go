package checkout

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// source is that of the order events that buyers cause.
const source = "/seqrflow/checkout"

// maxTurns is how often what a buyer asks for is decided anew because the order has changed meanwhile.
const maxTurns = 5

// decide gives the event to publish for what the buyer asks; ok is false where the order is not as the buyer saw it.
type decide func(orderview.Order) (name events.OrderName, data any, ok bool)

// again begins another try at paying. The form says which try the buyer has seen as the last: a second click, or one in another
// window, begins no other.
func (h *Checkout) again(w http.ResponseWriter, q request, o orderview.Order) {
	after := q.field(w, "after")
	h.act(w, q, o, "again", func(o orderview.Order) (events.OrderName, any, bool) {
		next, ok := o.NextTry()
		return events.Placed, next, ok && o.Current().InvoiceID == after
	})
}

// cancel cancels the try that the buyer has seen, if it still is open. The answer is whatever becomes of it.
func (h *Checkout) cancel(w http.ResponseWriter, q request, o orderview.Order) {
	invoice := q.field(w, "invoice")
	h.act(w, q, o, "cancel", func(o orderview.Order) (events.OrderName, any, bool) {
		t := o.Current()
		c := events.Cancellation{OrderID: o.ID, InvoiceID: t.InvoiceID, Shop: o.Shop, Reason: "the buyer canceled on the checkout page"}
		return events.OrderCanceled, c, t.InvoiceID == invoice && t.Invoice.State.Open() && !t.CancelAsked
	})
}

// maxForm is how many bytes a form may have. The pages' own have one id.
const maxForm = 8 << 10

// field gives a field of the form that was posted; "" where it is not there, or the form is too large.
func (q request) field(w http.ResponseWriter, name string) string {
	q.Body = http.MaxBytesReader(w, q.Body, maxForm)
	return q.PostFormValue(name)
}

// act publishes what the buyer asks for, unless another event of the order came first: then it decides again. The buyer then sees
// the page as the order stands.
func (h *Checkout) act(w http.ResponseWriter, q request, o orderview.Order, what string, decide decide) {
	log := h.cfg.Log.Info().Str("shop", q.key.Shop).Str("order", q.key.Order).Str("asked", what)
	for range maxTurns {
		name, data, ok := decide(o)
		if !ok {
			break
		}
		err := h.publish(q, o, name, data)
		if err == nil {
			log.Msg("a buyer has asked on the checkout page")
			break
		}
		if errors.Is(err, bus.ErrMovedOn) {
			o, err = h.load(q)
		}
		if err != nil {
			h.cfg.Log.Warn().Err(err).Str("shop", q.key.Shop).Str("order", q.key.Order).Str("asked", what).Msg("what a buyer has asked for was not published")
			h.showUnreachable(w, q)
			return
		}
	}
	http.Redirect(w, q.Request, q.address(""), http.StatusSeeOther)
}

func (h *Checkout) publish(q request, o orderview.Order, name events.OrderName, data any) error {
	ctx, cancel := context.WithTimeout(q.Context(), loadTime)
	defer cancel()
	return h.cfg.Bus.PublishOrderAfter(ctx, o.Seq, source, o.Shop, o.ID, nuid.Next(), name, data)
}

const (
	// returnedFor is how long a buyer who came back from the app is told that the payment is being checked, before the code is shown again.
	returnedFor = 8 * time.Second
	// cookieName is of the cookie by which the page is found again on the way back from the app, whose address has no key.
	cookieName = "seqrflow_checkout"
)

// remember keeps the key in the buyer's browser, for the way back from the app alone.
func (h *Checkout) remember(w http.ResponseWriter, q request) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: escape(q.secret()), Path: pathOf(q.key) + "/return", MaxAge: int((24 * time.Hour).Seconds()),
		HttpOnly: true, Secure: strings.HasPrefix(h.cfg.Links.base, "https:"), SameSite: http.SameSiteLaxMode,
	})
}

// serveReturn is where the buyer's app goes back to. It has the invoice polled at once, and then shows the page, which says that it
// is checking first. On a device that has never seen the page, such as the phone that scanned the code from a computer, it sends the
// buyer back to where the page is.
func (h *Checkout) serveReturn(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil && r.URL.Query().Get("key") == "" {
		values := r.URL.Query()
		values.Set("key", unescape(c.Value))
		keyed := r.Clone(r.Context()) // the server's own keeps an address without the key
		keyed.URL.RawQuery = values.Encode()
		r = keyed
	}
	q := h.read(r)
	o, err := h.load(q)
	switch {
	case errors.Is(err, orderview.ErrUnknown):
		h.hint(events.Key{Shop: q.key.Shop, Invoice: q.key.Order}) // nearly always the invoice; a hint proves nothing
		h.showReturned(w, q)
	case err != nil:
		h.showUnreachable(w, q)
	default:
		t := o.Current()
		if t.Invoice.State.Open() {
			h.hint(events.KeyOf(o.Shop, t.InvoiceID))
		}
		http.Redirect(w, r, q.address("", "returned", strconv.FormatInt(h.cfg.Bus.Now().Unix(), 10)), http.StatusSeeOther)
	}
}

func (h *Checkout) hint(k events.Key) {
	if err := h.cfg.Bus.Hint(k); err != nil {
		h.cfg.Log.Debug().Err(err).Str("shop", k.Shop).Str("invoice", k.Invoice).Msg("hint not passed on; the next poll will see the payment")
	}
}

// showReturned says the same of every order, known or not.
func (h *Checkout) showReturned(w http.ResponseWriter, q request) {
	p := h.frame(q)
	for i, l := range p.Languages { // without the key the page itself would be missing
		p.Languages[i].URL = pathOf(q.key) + "/return?lang=" + string(l.Code)
	}
	p.fragment = fragment{Lang: q.lang, State: "returned", Headline: text(q.lang, "returned"), Text: []string{text(q.lang, "returned.text")}}
	h.show(w, q, http.StatusOK, p)
}

// returned gives the parameter that says when the buyer came back from the app, if the request has it.
func (q request) returned() []string {
	if at := q.URL.Query().Get("returned"); at != "" {
		return []string{"returned", at}
	}
	return nil
}

// returnedBefore says whether the buyer came back from the app just before that time.
func (q request) returnedBefore(now time.Time) bool {
	at, err := strconv.ParseInt(q.URL.Query().Get("returned"), 10, 64)
	since := now.Sub(time.Unix(at, 0))
	return err == nil && since < returnedFor && since > -returnedFor
}
