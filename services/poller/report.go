package poller

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// reportFailure tells of a poll without a status: of each terminal once a minute, of refused credentials as an error.
func (p *Worker) reportFailure(w *watch, err error) {
	log, about := p.Log.Debug(), "poll "+w.as.ID
	switch {
	case seqr.IsCredentialError(err):
		p.metrics.refused.WithLabelValues(w.as.ID).Inc()
		if p.sometimes.OK("credentials " + w.as.ID) {
			log = p.Log.Error().Bool("credentials", true)
		}
	case p.sometimes.OK(about):
		log = p.Log.Warn()
	}
	log.Err(err).Str("worker", Name).Str("terminal", w.as.ID).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice).Msg("poll")
}

// notServed tells of an entry that this copy cannot poll.
func (p *Worker) notServed(k events.Key, err error) {
	p.metrics.notServed.WithLabelValues(k.Shop).Inc()
	if !p.sometimes.OK("shop " + k.Shop) {
		return
	}
	if err == nil {
		p.Log.Debug().Str("worker", Name).Str("shop", k.Shop).Msg("open invoices of a shop that this copy is not set to serve are left to another")
		return
	}
	p.Log.Warn().Err(err).Str("worker", Name).Str("shop", k.Shop).Str("invoice", k.Invoice).
		Msg("open invoices are left to another copy: without one that has the credentials nobody polls them")
}

// known is what is told of an invoice that is given up.
type known struct {
	Shop             string `json:"shop"`
	InvoiceID        string `json:"invoiceId"`
	Terminal         string `json:"terminal,omitempty"`
	InvoiceReference string `json:"invoiceReference,omitempty"`
	ErsReference     string `json:"ersReference,omitempty"`
	Amount           string `json:"amount,omitempty"`
	Currency         string `json:"currency,omitempty"`
	Paid             bool   `json:"paid,omitempty"`
}

// giveUp parks an invoice with all that is known of it, which may be all that is left of it, and removes it from the index.
func (p *Worker) giveUp(ctx context.Context, w *watch, l *bus.Lease, a action) error {
	k := known{Shop: or(w.loaded.Shop, w.key.Shop), InvoiceID: or(w.loaded.InvoiceID, w.key.Invoice), Terminal: w.loaded.Terminal,
		InvoiceReference: w.reference, Currency: w.loaded.Currency, Paid: a.payment != nil}
	if w.loaded.Known() {
		k.Amount = w.loaded.Total.String()
	}
	if a.payment != nil {
		k.ErsReference = a.payment.ErsReference
	}
	body, err := json.Marshal(k)
	if err != nil {
		return err
	}
	reason := fmt.Errorf("%w; known: %s", a.park, body)
	if a.payment != nil {
		reason = fmt.Errorf("the buyer has PAID, and the payment %w", reason)
	}
	if w.loaded.Seq > 0 { // the entry itself is removed: a person sends back the invoice's last event
		l.Stream, l.Subject, l.Seq = events.InvoicesStream, w.key.Subject(events.Name(or(string(w.loaded.Change.Event), "unknown"))), w.loaded.Seq
	}
	l.Body = body
	if err := l.Park(ctx, 1, reason); err != nil {
		return err
	}
	if a.payment != nil {
		p.metrics.unrecorded.Inc()
	}
	p.Log.Error().Err(reason).Str("worker", Name).Str("shop", k.Shop).Str("invoice", k.InvoiceID).Msg("given up and parked: a person has to look")
	p.leases.drop(l) // Park has ended it
	return nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
