package sandbox

import (
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"
)

// walletView is an invoice as the buyer's phone shows it, and as GET /wallet/<invoiceReference> answers.
type walletView struct {
	InvoiceReference string      `json:"invoiceReference"`
	Shop             string      `json:"shop"`
	Title            string      `json:"title,omitempty"`
	Rows             []walletRow `json:"rows"`
	Total            string      `json:"total"`
	Currency         string      `json:"currency"`
	Footer           string      `json:"footer,omitempty"`
	BackURL          string      `json:"backUrl,omitempty"` // as the shop sent it; the page links to Back
	Status           Status      `json:"status"`
	Version          int         `json:"version"`
	Scanned          bool        `json:"scanned"`
	Confirming       bool        `json:"confirming"`
	Payable          bool        `json:"payable"`
	Waiting          string      `json:"waiting,omitempty"` // for what a live invoice that is not payable waits; for developers
	Headline         string      `json:"headline"`          // the state in words to the buyer
	Message          string      `json:"message,omitempty"` // more of that
	Reversed         bool        `json:"reversed"`
	Fetched          bool        `json:"fetched"`
	Reason           string      `json:"reason,omitempty"`

	Back template.URL `json:"-"`
}

type walletRow struct {
	Description string `json:"description"`
	Quantity    string `json:"quantity,omitempty"`
	Total       string `json:"total,omitempty"`
}

// view gives the view of an invoice; ok is false if there is none.
func (s *Sandbox) view(ref string) (v walletView, ok bool) {
	s.mu.Lock()
	defer s.unlock()
	s.catchUp()
	inv := s.st.invoices[ref]
	if inv == nil {
		return walletView{}, false
	}
	total := inv.Total
	if inv.Status == Paid {
		total = inv.PaidAmount
	}
	v = walletView{
		InvoiceReference: ref, Shop: s.st.shop(inv.Terminal), Title: inv.Title, Rows: []walletRow{},
		Total: total.String(), Currency: inv.Currency, Footer: inv.Footer, BackURL: inv.BackURL, Back: backLink(inv.BackURL),
		Status: inv.Status, Version: inv.Version, Scanned: inv.Scanned && (inv.Status != Issued || !inv.asksShop()), Confirming: inv.confirming(s.clock.now()),
		Reversed: !inv.ReversedAt.IsZero(), Fetched: !inv.FetchedAt.IsZero(), Reason: inv.Reason,
	}
	v.Headline, v.Message = inv.toldBuyer(s.clock.now())
	if inv.Status.live() {
		refused := inv.payable()
		v.Payable = refused == nil
		if refused != nil {
			v.Waiting = refused.Error()
		}
	}
	for _, r := range inv.rows() {
		line := walletRow{Description: r.Description}
		if r.Quantity != nil {
			line.Quantity = r.Quantity.String()
		}
		if r.Total != nil {
			line.Total = r.Total.String()
		}
		v.Rows = append(v.Rows, line)
	}
	return v, true
}

// serveWallet is the interface of the buyer's page, or of a script that acts for the buyer.
func (s *Sandbox) serveWallet(w http.ResponseWriter, r *http.Request) {
	ref, action, acts := strings.Cut(strings.TrimPrefix(r.URL.Path, "/wallet/"), "/")
	if !acts {
		s.read(w, r, func(w http.ResponseWriter, _ *http.Request) { s.answerBuyer(w, ref, nil) })
		return
	}
	do, known := map[string]func(string) error{
		"scan": s.Scan, "confirm": s.Confirm, "pay": s.Pay, "decline": s.Decline, "expire": s.Expire, "fail": s.Fail,
	}[action]
	switch {
	case !known:
		writeProblem(w, http.StatusNotFound, "a buyer can scan, confirm, pay and decline; expire and fail act for the provider")
	case r.Method != http.MethodPost:
		notAllowed(w, "POST")
	case action == "pay" && !goodPIN(w, r):
		writeProblem(w, http.StatusBadRequest, "pin: must be four digits")
	default:
		s.answerBuyer(w, ref, do(ref))
	}
}

// goodPIN accepts any four digits, and a request without a PIN.
func goodPIN(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	pin := r.FormValue("pin")
	return pin == "" || len(pin) == 4 && strings.Trim(pin, "0123456789") == ""
}

func (s *Sandbox) answerBuyer(w http.ResponseWriter, ref string, err error) {
	var refused refusal
	v, known := s.view(ref)
	switch {
	case !known:
		writeProblem(w, http.StatusNotFound, "there is no invoice "+ref)
	case errors.As(err, &refused):
		writeJSON(w, http.StatusConflict, map[string]any{"error": err.Error(), "invoice": v})
	case err != nil:
		writeProblem(w, http.StatusInternalServerError, err.Error())
	default:
		writeJSON(w, http.StatusOK, v)
	}
}

// InvoiceOf gives the invoiceReference that the text of a QR code leads to: that of the code itself, or of the live invoice of a
// terminal's static code. It is empty if there is none.
func (s *Sandbox) InvoiceOf(code string) string {
	if ref, ok := strings.CutPrefix(code, invoiceCode); ok {
		return ref
	}
	id, _ := strings.CutPrefix(code, terminalCode)
	_, ref, _ := s.showing(id)
	return ref
}

// showing gives the shop behind a terminal's static QR code, and the live invoice if there is one.
func (s *Sandbox) showing(seqrID string) (shop, ref string, known bool) {
	s.mu.Lock()
	defer s.unlock()
	s.catchUp()
	t := s.st.seqrIDs[seqrID]
	if t == nil {
		return "", "", false
	}
	if t.current != nil {
		ref = t.current.InvoiceReference
	}
	return s.st.shop(t.ID), ref, true
}

// recent gives the last n invoices, the newest first, and the time.
func (s *Sandbox) recent(n int) ([]Invoice, time.Time) {
	s.mu.Lock()
	defer s.unlock()
	s.catchUp()
	var list []Invoice
	for i := len(s.st.issued) - 1; i >= 0 && len(list) < n; i-- {
		list = append(list, s.st.issued[i].Invoice)
	}
	return list, s.clock.now()
}
