package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

const (
	maxHook = 2 << 20 // bytes of a request's body
	// hookTime is how long storing what a request asks for may take. Shopify waits 5 s for the whole answer.
	hookTime = 4 * time.Second
)

// The outcomes of a request of a shop's system, for the log and the metric.
const (
	published   = "published"
	known       = "known"   // ORDERS has all of it
	nothing     = "nothing" // it asks for nothing
	parked      = "parked"
	unsigned    = "unsigned"
	unreadable  = "unreadable" // too large, too slow, cut off, or of an unknown content type
	unknown     = "unknown"    // no connection has this shop with this system
	limited     = "limited"
	brokerFault = "broker"
)

type metrics struct {
	hooks *prometheus.CounterVec
	swept *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "seqrflow", Name: "hooks_total",
		Help: "Requests of shops' systems by system and by what became of them: published, known, nothing, parked (these were answered 2xx), unsigned, unreadable, unknown (with no system), limited, broker."},
		[]string{"system", "outcome"}), prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "seqrflow", Name: "last_sweep_timestamp_seconds",
		Help: "When the orders of a shop were last read through, in seconds since 1970."}, []string{"shop"})}
	for _, s := range systems {
		for _, o := range []string{published, known, nothing, parked, unsigned, unreadable, limited, brokerFault} {
			m.hooks.WithLabelValues(s.name, o)
		}
	}
	m.hooks.WithLabelValues("", unknown)
	if reg != nil {
		reg.MustRegister(m.hooks, m.swept)
	}
	return m
}

// answer is what a shop's system is told.
type answer struct {
	status  int
	outcome string
	text    string // one line
	order   string
	err     error // for the log, where that says more than the text
}

// receive answers a request of a shop's system. An answer of 2xx says that the broker has what the request asks for, or that
// nothing is to be done about it, ever.
func (g *Gateway) receive(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	h, ok := g.hookOf(r.PathValue("shop"), r.PathValue("system"))
	if !ok {
		text := "the connections file has no such shop with this system"
		g.metrics.hooks.WithLabelValues("", unknown).Inc()
		g.Log.Warn().Str("path", clip(r.URL.Path)).Int("status", http.StatusNotFound).Str("outcome", unknown).Str("result", text).Msg("hook")
		http.Error(w, text, http.StatusNotFound)
		return
	}
	body, err := readBody(w, r, maxHook)
	a := unread(err)
	if err == nil {
		req := commerce.Request{Shop: h.shop, Header: r.Header, Body: body, At: g.Bus.Now()}
		a = g.verify(w, r, h, req)
		if a.status == 0 {
			a = g.accept(r.Context(), h, req)
		}
	}
	g.metrics.hooks.WithLabelValues(h.name, a.outcome).Inc()
	g.logHook(h, r, a, len(body), time.Since(begun))
	if a.outcome == limited {
		return // answered
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(a.status)
	fmt.Fprintln(w, a.text)
}

func unread(err error) answer {
	switch {
	case errors.Is(err, errLarge):
		return answer{status: http.StatusRequestEntityTooLarge, outcome: unreadable, text: err.Error()}
	case errors.Is(err, errSlow):
		return answer{status: http.StatusRequestTimeout, outcome: unreadable, text: err.Error()}
	case err != nil:
		return answer{status: http.StatusBadRequest, outcome: unreadable, text: "the request's body did not arrive", err: err}
	}
	return answer{}
}

// verify gives the answer to a request that is not accepted: status 0 is to one that is.
func (g *Gateway) verify(w http.ResponseWriter, r *http.Request, h hook, req commerce.Request) answer {
	if p, ok := h.inbound.(commerce.Pinger); ok && p.IsPing(req) {
		return answer{status: http.StatusOK, outcome: nothing, text: "nothing to do: the first request of a new webhook"}
	}
	switch err := h.inbound.Verify(req); {
	case errors.Is(err, commerce.ErrSignature):
		return answer{status: http.StatusUnauthorized, outcome: unsigned, text: err.Error()}
	case err != nil:
		return answer{status: http.StatusBadRequest, outcome: unreadable, text: err.Error()}
	case g.shopLimit.RespondOnLimit(w, r, h.shop):
		return answer{status: http.StatusTooManyRequests, outcome: limited}
	}
	return answer{}
}

// accept does what a verified request asks for.
func (g *Gateway) accept(ctx context.Context, h hook, req commerce.Request) answer {
	ctx, cancel := context.WithTimeout(ctx, hookTime)
	defer cancel()
	t, err := h.inbound.Translate(req)
	var refusal *commerce.Refusal
	switch {
	case errors.Is(err, commerce.ErrContentType):
		return answer{status: http.StatusUnsupportedMediaType, outcome: unreadable, text: err.Error()}
	case errors.As(err, &refusal):
		t.Refused = []commerce.RefusedPart{{Body: req.Body, Refusal: refusal}}
	case err != nil:
		t.Refused = []commerce.RefusedPart{{Body: req.Body, Refusal: &commerce.Refusal{Expected: err.Error()}}}
	}
	names, err := g.publish(ctx, h.shop, h.name, t.Events)
	for _, part := range t.Refused {
		if err == nil {
			err = g.keepRefused(ctx, h, req, part, g.Bus.LastParked)
		}
	}
	switch {
	case err != nil:
		return answer{status: http.StatusServiceUnavailable, outcome: brokerFault, text: "the broker has not stored it; send it again", order: t.Order, err: err}
	case len(t.Refused) > 0:
		first := t.Refused[0].Refusal
		return answer{status: h.accepted, outcome: parked, order: first.Order,
			text: "kept for a person, not carried out: " + first.Error()}
	case len(names) > 0:
		return answer{status: h.accepted, outcome: published, text: "published: " + strings.Join(names, ", "), order: t.Order}
	case len(t.Events) > 0:
		return answer{status: h.accepted, outcome: known, text: "nothing new", order: t.Order}
	}
	return answer{status: h.accepted, outcome: nothing, text: "nothing to do: " + t.Note, order: t.Order}
}

func (g *Gateway) logHook(h hook, r *http.Request, a answer, size int, took time.Duration) {
	l := g.Log.Info()
	if a.status >= http.StatusBadRequest || a.outcome == parked {
		l = g.Log.Warn()
	}
	if a.err != nil {
		l = l.AnErr("error", a.err)
	}
	for name, value := range h.about(r.Header) {
		l = l.Str(strings.ToLower(name), value)
	}
	l.Str("shop", events.Token(h.shop)).Str("system", h.name).Str("order", a.order).Int("bytes", size).Int("status", a.status).
		Str("outcome", a.outcome).Str("result", a.text).Dur("took", took).Msg("hook")
}

// allowSender answers the question of a sender of CloudEvents whether it may send here.
func (g *Gateway) allowSender(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("WebHook-Request-Origin")
	if _, ok := g.hookOf(r.PathValue("shop"), r.PathValue("system")); !ok || origin == "" {
		http.Error(w, "expected a shop and system of the connections file, and the header WebHook-Request-Origin", http.StatusNotFound)
		return
	}
	w.Header().Set("Allow", "POST, OPTIONS")
	w.Header().Set("WebHook-Allowed-Origin", origin)
	w.Header().Set("WebHook-Allowed-Rate", fmt.Sprint(g.PerMinute))
	w.WriteHeader(http.StatusOK)
}
