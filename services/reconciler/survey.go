package reconciler

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Survey is what the streams tell of money that a person has to look at. Each Read goes on where the last one ended. It
// reads INVOICES without bodies and without a filter, so no publisher waits for it. It is not safe for concurrent use.
type Survey struct {
	// Compared is each terminal's last period that was compared with the provider's report.
	Compared map[string]events.Period
	// Agreed is when each terminal's last period was compared that agreed with the report.
	Agreed map[string]time.Time
	// Reversals are the invoices found canceled after a gap of answers in which a payment may have been reversed, the
	// newest last, at most mostReversals of them.
	Reversals []Reversal
	// Unclosed is each shop's newest payment among those that are older than ClosingDue at the time of Read.
	Unclosed map[string]Payment

	periods  *periodIndex
	invoices uint64 // the last sequence of INVOICES that was read
	unknown  map[events.Key]struct{}
	sending  map[events.Key]int // the events refunding of invoices that may have a refund sending or waiting
}

// Reversal names an invoice whose payment may have been reversed.
type Reversal struct {
	events.Key
	At      time.Time
	Without time.Duration // an answer
}

// Payment is the place of a payment on INVOICES.
type Payment struct {
	events.Key
	Seq uint64
}

const (
	mostReversals = 1000
	// ClosingDue is how old a payment may become without being in a period that was compared.
	ClosingDue = 48 * time.Hour
)

// Read reads what is new. The error is of the broker; what was read before it counts.
func (s *Survey) Read(ctx context.Context, b *bus.Bus) error {
	if s.unknown == nil {
		s.unknown, s.sending, s.Unclosed = map[events.Key]struct{}{}, map[events.Key]int{}, map[string]Payment{}
	}
	if s.periods == nil {
		s.periods = &periodIndex{}
	}
	var err error
	if s.Compared, s.Agreed, err = s.periods.outcomes(ctx, b); err != nil {
		return err
	}
	due := b.Now().Add(-ClosingDue)
	_, err = b.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, From: s.invoices + 1, HeadersOnly: true}, func(e bus.Entry) error {
		s.add(e, due)
		s.invoices = e.Seq
		return nil
	})
	return err
}

// add notes one event of INVOICES.
func (s *Survey) add(e bus.Entry, due time.Time) {
	a, err := events.ParseSubject(e.Subject)
	if err != nil {
		return
	}
	k := a.Key()
	switch events.Name(a.Event) {
	case events.EventPaid:
		if e.Time.Before(due) {
			s.Unclosed[k.Shop] = Payment{k, e.Seq}
		}
	case events.EventRefunding:
		s.sending[k]++
	case events.EventRefundUnknown:
		s.unknown[k] = struct{}{}
	case events.EventRefunded, events.EventRefundFailed:
		if s.sending[k] == 1 { // it was of this refund; of more than one, one may be of a refund that waits
			delete(s.sending, k)
		}
	}
	if h := e.Header[bus.GapHeader]; len(h) > 0 {
		seconds, _ := strconv.ParseFloat(h[0], 64)
		s.Reversals = append(s.Reversals, Reversal{k, e.Time, time.Duration(seconds * float64(time.Second))})
		if len(s.Reversals) > mostReversals {
			s.Reversals = s.Reversals[1:]
		}
	}
}

// StuckAfter is how long a refund may be sending before it counts as one whose worker has lost it: no call to the provider
// takes so long.
const StuckAfter = time.Minute

// WaitsAfter is how long a refund may wait for another attempt before it is shown: its message may be gone or parked. While the
// provider is down it waits for as long as that takes.
const WaitsAfter = 10 * time.Minute

// Unsettled says that a person may have to find out what became of a refund: it is in doubt, or has been sending or waiting for
// too long.
func Unsettled(inv events.Invoice, r events.Refund, now time.Time) bool {
	switch age := now.Sub(inv.Change.At); r.Status {
	case events.RefundUnknown:
		return true
	case events.RefundSending:
		return age > StuckAfter
	case events.RefundWaiting:
		return age > WaitsAfter
	}
	return false
}

// UnsettledRefund is a refund of which a person may have to find out what became of it.
type UnsettledRefund struct {
	Invoice events.Invoice
	Refund  events.Refund
}

// Refunds gives the refunds that are [Unsettled] now, as far as the streams were read, in the order in which they were asked for.
func (s *Survey) Refunds(ctx context.Context, b *bus.Bus) (out []UnsettledRefund, err error) {
	invoices := maps.Clone(s.unknown)
	for k := range s.sending {
		invoices[k] = struct{}{}
	}
	for k := range invoices {
		inv, err := b.Load(ctx, k)
		if err != nil {
			return nil, err
		}
		open := false
		for _, r := range inv.Refunds {
			open = open || r.Open()
			if Unsettled(inv.Invoice, r, b.Now()) {
				out = append(out, UnsettledRefund{inv.Invoice, r})
			}
		}
		if !open {
			delete(s.unknown, k)
			delete(s.sending, k)
		}
	}
	slices.SortFunc(out, func(x, y UnsettledRefund) int {
		return cmp.Or(x.Refund.AskedAt.Compare(y.Refund.AskedAt), cmp.Compare(x.Invoice.InvoiceID, y.Invoice.InvoiceID), cmp.Compare(x.Refund.RefundID, y.Refund.RefundID))
	})
	return out, nil
}

// NotClosed gives the shops, by their tokens, that have payments older than ClosingDue in no compared period, each with the
// terminal whose period has to be closed.
func (s *Survey) NotClosed(ctx context.Context, b *bus.Bus) (map[string]string, error) {
	out := map[string]string{}
	for shop, last := range s.Unclosed {
		inv, err := b.Load(ctx, last.Key)
		if err != nil {
			return nil, err
		}
		if s.Compared[inv.Terminal].LedgerBefore < last.Seq {
			out[shop] = inv.Terminal
		}
	}
	return out, nil
}

// surveyEvery is how often the streams are read on for the gauges.
const surveyEvery = 10 * time.Second

// gauges are the metrics of what a person has to look at. None has a value before the streams were read once.
type gauges struct{ inDoubt, age, mismatched *prometheus.GaugeVec }

// newGauges registers the gauges, unless reg is nil.
func newGauges(reg prometheus.Registerer) gauges {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return promauto.With(reg).NewGaugeVec(prometheus.GaugeOpts{Namespace: "seqrflow", Name: name, Help: help}, labels)
	}
	return gauges{
		inDoubt:    gauge("refunds_in_doubt", "Refunds of all shops that may or may not have been paid, or that have been sending for over a minute. Told by the reconciler, every 10 s. Alert above 0."),
		age:        gauge("reconciled_period_age_seconds", "Seconds since a period of the terminal last agreed with the provider's report; only terminals that ever closed a period. Alert above 172800, two days.", "terminal"),
		mismatched: gauge("period_mismatched", "1 if the terminal's last compared period has differences, else 0. Alert above 0.", "terminal"),
	}
}

// follow reads what is new on the streams, every 10 s until ctx ends.
func (g gauges) follow(ctx context.Context, w *Worker) error {
	s := Survey{periods: &w.periods}
	t := time.NewTicker(surveyEvery)
	defer t.Stop()
	for {
		if err := g.read(ctx, w, &s); err != nil && ctx.Err() == nil && w.sometimes.OK("survey") {
			w.Log.Warn().Err(err).Str("worker", Name).Msg("counting refunds in doubt; it goes on")
		}
		for terminal, at := range s.Agreed { // it grows older also while the broker fails
			g.age.WithLabelValues(terminal).Set(time.Since(at).Seconds())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (g gauges) read(ctx context.Context, w *Worker, s *Survey) error {
	if err := s.Read(ctx, w.Bus); err != nil {
		return err
	}
	inDoubt, err := s.Refunds(ctx, w.Bus)
	if err != nil {
		return err
	}
	g.inDoubt.WithLabelValues().Set(float64(len(inDoubt)))
	for terminal, p := range s.Compared {
		differs := 0.0
		if p.State == events.PeriodMismatched {
			differs = 1
		}
		g.mismatched.WithLabelValues(terminal).Set(differs)
	}
	return nil
}
