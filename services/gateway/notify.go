package gateway

import (
	"errors"
	"net/http"

	"github.com/seqrflow/seqrflow/pkg/events"
)

const maxNotification = 4 << 10

// notify answers the provider's notification.
func (g *Gateway) notify(w http.ResponseWriter, r *http.Request) {
	k := events.Key{Shop: r.PathValue("shop"), Invoice: r.PathValue("invoice")}
	if !events.IsToken(k.Shop) || !events.IsToken(k.Invoice) {
		http.Error(w, "expected /notify/<shop>/<invoice>, each 1 to 64 of A-Z a-z 0-9 _ -", http.StatusBadRequest)
		return
	}
	switch _, err := readBody(w, r, maxNotification); {
	case errors.Is(err, errSlow):
		http.Error(w, err.Error(), http.StatusRequestTimeout)
		return
	case err != nil:
		http.Error(w, "expected a form with invoiceReference", http.StatusBadRequest)
		return
	}
	if err := g.Hints.Hint(k); err != nil {
		g.Log.Warn().Err(err).Str("shop", k.Shop).Str("invoice", k.Invoice).Msg("hint not passed on; the next poll will see the payment")
		http.Error(w, "broker not reached", http.StatusServiceUnavailable)
		return
	}
	g.Log.Debug().Str("shop", k.Shop).Str("invoice", k.Invoice).Msg("hint")
	w.WriteHeader(http.StatusNoContent)
}
