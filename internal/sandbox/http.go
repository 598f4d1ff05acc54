package sandbox

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// Path is the address of the merchant's SOAP service.
	Path         = "/extclientproxy/service/v2"
	pathRegister = "/soap/merchant/cashregister-2"
)

// ServeHTTP answers at every address of the provider and of its sandbox; docs/sandbox.md lists them.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.closed() {
		writeProblem(w, http.StatusServiceUnavailable, "the sandbox is closed")
		return
	}
	path := r.URL.Path
	switch {
	case path == Path, path == pathRegister:
		s.serveService(w, r)
	case path == "/":
		s.read(w, r, s.serveIndex)
	case path == "/healthz":
		s.read(w, r, func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
		})
	case path == "/ledger":
		s.read(w, r, func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, http.StatusOK, s.LedgerOf(r.URL.Query().Get("terminal")))
		})
	case path == "/faults":
		s.serveFaults(w, r)
	case path == "/clock":
		s.read(w, r, func(w http.ResponseWriter, _ *http.Request) { s.writeClock(w) })
	case path == "/clock/advance":
		s.serveAdvance(w, r)
	case strings.HasPrefix(path, "/wallet/"):
		s.serveWallet(w, r)
	case strings.HasPrefix(path, "/R"):
		s.read(w, r, s.serveInvoicePage)
	case strings.HasPrefix(path, "/Q"):
		s.read(w, r, s.serveTerminalPage)
	default:
		writeProblem(w, http.StatusNotFound, "there is nothing here")
	}
}

// read serves GET and HEAD, and refuses other methods.
func (s *Sandbox) read(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		notAllowed(w, "GET")
		return
	}
	serve(w, r)
}

func (s *Sandbox) serveAdvance(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		notAllowed(w, "POST")
		return
	}
	d, err := time.ParseDuration(r.FormValue("d"))
	if err != nil {
		writeProblem(w, http.StatusBadRequest, errBackwards.Error())
		return
	}
	err = s.advance(d)
	switch {
	case errors.Is(err, errRealClock):
		writeProblem(w, http.StatusConflict, err.Error())
	case errors.Is(err, errBackwards), errors.Is(err, errTooFar):
		writeProblem(w, http.StatusBadRequest, err.Error())
	case err != nil:
		writeProblem(w, http.StatusInternalServerError, err.Error())
	default:
		s.writeClock(w)
	}
}

func (s *Sandbox) writeClock(w http.ResponseWriter) {
	mode := "real"
	if s.cfg.ManualClock {
		mode = "manual"
	}
	writeJSON(w, http.StatusOK, map[string]any{"now": s.Now(), "clock": mode})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a reader that has gone needs no answer
}

func writeProblem(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"error": text})
}

func notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	writeProblem(w, http.StatusMethodNotAllowed, "this address takes "+allow+" only")
}
