package checkout

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/seqrflow/seqrflow/internal/orderview"
)

// pluginAnswer is what the provider's browser plugin reads. It stops asking at any status but ISSUED.
type pluginAnswer struct {
	ResultCode        int    `json:"resultCode"`
	ResultDescription string `json:"resultDescription"`
	Status            string `json:"status"`
	Version           int    `json:"version"`
}

// pluginStatuses are the statuses of final states; every other is ISSUED to the plugin.
var pluginStatuses = map[State]string{Paid: "PAID", Refunded: "PAID", Canceled: "CANCELED", Late: "CANCELED", Expired: "EXPIRED", Failed: "FAILED", Rejected: "FAILED"}

// pluginStatus gives the status for the plugin; "" while it has to ask on. A late payment that was paid back pays for nothing.
func (v view) pluginStatus() string {
	if v.state == Refunded && v.try.Invoice.Late {
		return pluginStatuses[Late]
	}
	return pluginStatuses[v.state]
}

// servePlugin answers the provider's browser plugin, on whatever site it runs. 404 ends it; at 503 it asks again.
func (h *Checkout) servePlugin(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		head.Set("Access-Control-Allow-Methods", "GET")
		head.Set("Access-Control-Allow-Headers", "*")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	q := h.read(r)
	o, err := h.load(q)
	switch {
	case errors.Is(err, orderview.ErrUnknown):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, "not known just now", http.StatusServiceUnavailable)
		return
	}
	a := pluginAnswer{ResultDescription: "SUCCESS", Status: "ISSUED"}
	if status := h.view(q, o).pluginStatus(); status != "" {
		a.Status = status
	}
	head.Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a) // a reader that has gone needs no answer
}

// escape makes a text fit for a URL's path or query, and for a cookie.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// unescape gives the text back; "" for one that escape has not made.
func unescape(s string) string {
	out, _ := url.QueryUnescape(s)
	return out
}
