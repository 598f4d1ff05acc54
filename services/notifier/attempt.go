package notifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

const (
	// brokerPause is how long a message waits when the broker gave no answer, and earlierPause when an earlier event of its invoice
	// has not ended.
	brokerPause  = 2 * time.Second
	earlierPause = 2 * time.Second
	// longestWait is how long it waits at most before it is looked whether the earlier event has ended.
	longestWait = 5 * time.Minute

	mostDetail = 500 // characters
)

// attempt tells the destination about one event, unless that was done or it is not yet due, and ends the lease. The result has no
// status when the destination was not asked. A hopeless event is given up without asking.
//
// The order of the steps is what makes a process harmless that dies between two of them: the call, then parking, then the record of
// the attempt, then the acknowledgement. What was not recorded is done again.
func (s *sender) attempt(ctx context.Context, l *bus.Lease, hopeless bool) (none commerce.Result) {
	if l.Lost() {
		l.Drop() // another copy has it
		return none
	}
	key := keyOf(l)
	last, err := s.Bus.LastDelivery(ctx, key, s.Name)
	if err != nil {
		return s.brokerFailed(l, err)
	}
	if !l.Replayed {
		if l.Seq <= last.Settled {
			l.Done(ctx) // an earlier delivery of the message ended it
			return none
		}
		pause, err := s.notYet(ctx, l, last)
		if err != nil {
			return s.brokerFailed(l, err)
		}
		if pause > 0 {
			l.GiveBack(min(pause, s.Backoff.Most))
			return none
		}
	}
	switch err := l.Fetch(ctx); {
	case errors.Is(err, bus.ErrNoMessage):
		l.Done(ctx) // an operator has deleted it
		return none
	case err != nil:
		return s.brokerFailed(l, err)
	}
	a, err := s.newAttempt(ctx, key, l, last)
	if err != nil {
		return s.brokerFailed(l, err)
	}
	begun := time.Now()
	r, asked, err := s.tell(ctx, l, &a, hopeless)
	switch {
	case errors.Is(err, errForeign):
		l.Done(ctx) // not recorded: it says nothing of which event was before it, so a record would end those that wait
		return none
	case err != nil:
		return s.brokerFailed(l, err)
	}
	if ctx.Err() != nil && r.Status == commerce.Again {
		l.GiveBack(0) // the process ends: nothing is known of the destination
		return none
	}
	a.Millis = time.Since(begun).Milliseconds()
	s.end(ctx, l, key, last, a, r, hopeless)
	if !asked {
		return none
	}
	return r
}

func keyOf(l *bus.Lease) events.Key {
	if k := l.Key(); k != (events.Key{}) {
		return k
	}
	return events.KeyOf("unknown", l.Subject)
}

func (s *sender) brokerFailed(l *bus.Lease, err error) (none commerce.Result) {
	s.Log.Warn().Err(err).Str("worker", Name).Str("subject", l.Subject).Str("destination", s.Name).Msg("the broker failed; the event comes again")
	l.GiveBack(min(brokerPause, s.Backoff.Most))
	return none
}

// notYet gives how long the event has to wait: until its next attempt is due, or until an earlier event of its invoice has ended.
func (s *sender) notYet(ctx context.Context, l *bus.Lease, last bus.LoadedDelivery) (time.Duration, error) {
	due := time.Duration(0)
	if last.Status == events.DeliveryAgain && last.NextAt != nil {
		due = last.NextAt.Sub(s.Bus.Now())
	}
	if last.Sequence == l.Seq {
		return due, nil
	}
	before := l.Previous()
	if before <= last.Settled {
		return 0, nil
	}
	if ended, err := s.isSettled(ctx, before); ended || err != nil {
		return 0, err
	}
	if last.Sequence < l.Seq && due > 0 {
		return min(due+earlierPause, longestWait), nil
	}
	return earlierPause, nil
}

// newAttempt begins the record of an attempt. What the last one says of the same event goes on.
func (s *sender) newAttempt(ctx context.Context, key events.Key, l *bus.Lease, last bus.LoadedDelivery) (events.DeliveryAttempt, error) {
	now := s.Bus.Now().UTC()
	a := events.DeliveryAttempt{
		Shop: s.Shop, InvoiceID: key.Invoice, Destination: s.Name, EventAt: l.Time.UTC(), Sequence: l.Seq,
		Attempt: 1, At: now, FirstAt: now, Resent: l.Replayed, Settled: last.Settled,
	}
	before := last.DeliveryAttempt
	if l.Redelivered && (l.Replayed || last.Resent) { // then two events of the invoice are tried by turns
		var err error
		if before, err = s.Bus.LastDeliveryOf(ctx, key, s.Name, l.Seq, l.Replayed); err != nil {
			return a, err
		}
	}
	if before.Sequence == l.Seq && before.Status == events.DeliveryAgain && before.Resent == l.Replayed {
		a.Attempt, a.FirstAt = before.Attempt+1, before.FirstAt
	}
	return a, nil
}

// errForeign says that no worker has written the message. It was parked.
var errForeign = errors.New("no worker has written the message")

// tell makes the call. asked is false when there was nothing to ask the destination. The error is errForeign, or of the broker, or
// says that the event is for a newer version.
func (s *sender) tell(ctx context.Context, l *bus.Lease, a *events.DeliveryAttempt, hopeless bool) (r commerce.Result, asked bool, err error) {
	inv, envelope, err := events.DecodeInvoiceEvent(l.Subject, l.Body)
	switch {
	case errors.Is(err, events.ErrNewerVersion):
		return r, false, err
	case err != nil:
		if o := s.Bus.NotOurs(ctx, l.Delivery, err); !o.IsDone() {
			return r, false, o.Err()
		}
		return r, false, errForeign
	}
	a.Event, a.EventID, a.InvoiceID = inv.Change.Event, envelope.ID, inv.InvoiceID
	switch {
	case !s.wants(inv.Change.Event):
		return commerce.Skip("not among the events of this destination"), false, nil
	case hopeless:
		a.Attempt--
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.pace.last, false, nil
	case l.Lost():
		return r, false, errors.New("the lease was lost")
	}
	n := commerce.Notice{ID: envelope.ID, Name: inv.Change.Event, Invoice: inv, At: envelope.Time, Body: l.Body}
	if n.GoesOn, n.Withdrawn, err = s.orderOf(ctx, inv); err != nil {
		return r, false, err
	}
	return s.Outbound.Deliver(ctx, n), true, nil
}

// orderOf says of the order of an invoice that has ended whether it is paid, or can still be paid, by another invoice, and whether it was
// canceled as a whole. The event may be told long after it happened, and events of two invoices come in any order. An order that is not
// known was canceled before it was placed.
func (s *sender) orderOf(ctx context.Context, inv events.Invoice) (goesOn, withdrawn bool, err error) {
	if !inv.State.Ended() {
		return false, false, nil
	}
	o, err := orderview.Load(ctx, s.Bus, events.OrderKeyOf(inv.Shop, inv.OrderID), nil)
	if errors.Is(err, orderview.ErrUnknown) {
		return false, true, nil
	}
	if err != nil {
		return false, false, err
	}
	return o.GoesOn(inv.InvoiceID), o.Withdrawn, nil
}

// end records what became of the attempt, and ends the lease.
func (s *sender) end(ctx context.Context, l *bus.Lease, key events.Key, last bus.LoadedDelivery, a events.DeliveryAttempt, r commerce.Result, hopeless bool) {
	a.Detail, a.Code = clip(r.Detail), r.Code
	a.Status = s.statusOf(a, r, hopeless)
	if l.Lost() && a.Status != events.DeliveryDelivered && a.Status != events.DeliverySkipped {
		s.log(a)
		l.Drop() // the copy that has the message decides, and may have told it and what follows
		return
	}
	pause := time.Duration(0)
	switch a.Status {
	case events.DeliveryAgain:
		pause = max(s.pauseAfter(a.Attempt), min(r.After, longestAsked))
		next := a.At.Add(pause)
		a.NextAt = &next
	case events.DeliveryRefused, events.DeliveryGivenUp:
		reason := fmt.Errorf("%s %s it: %s", s.Name, words[a.Status], a.Detail)
		if err := l.KeepParked(ctx, a.Attempt, reason); err != nil {
			s.brokerFailed(l, err)
			return
		}
		fallthrough
	default:
		a.Settled = max(a.Settled, l.Seq)
	}
	if err := s.Bus.RecordDelivery(ctx, Name, key, last, a); err != nil {
		s.brokerFailed(l, err)
		return
	}
	s.log(a)
	s.metrics.attempted(s.Destination, a)
	if a.Status == events.DeliveryAgain {
		l.GiveBack(min(pause, s.Backoff.Most))
		return
	}
	l.Done(ctx)
}

// pauseAfter gives the pause of an event after so many attempts. While the destination is silent it stays short, since the event is not
// at fault: it must not wait for hours when the destination is back. It is long enough for other events to be the next probes.
func (s *sender) pauseAfter(attempts int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := s.Backoff.After(attempts)
	if s.pace.down() {
		pause = min(pause, otherProbes*s.Probes.Most)
	}
	return pause
}

// words say in a parked message's reason what became of the last attempt.
var words = map[events.DeliveryStatus]string{events.DeliveryRefused: "refused", events.DeliveryGivenUp: "did not take"}

// statusOf gives the status of an attempt: one that has to be made again is the last one when the event is too old.
func (s *sender) statusOf(a events.DeliveryAttempt, r commerce.Result, hopeless bool) events.DeliveryStatus {
	old := a.At.Sub(a.EventAt) >= s.Patience && a.At.Sub(a.FirstAt) >= min(leastTries, s.Patience)
	switch {
	case r.Status != commerce.Again:
		return events.DeliveryStatus(r.Status)
	case old, hopeless:
		return events.DeliveryGivenUp
	}
	return events.DeliveryAgain
}

// log writes one line for the attempt.
func (s *sender) log(a events.DeliveryAttempt) {
	level := zerolog.InfoLevel
	switch a.Status {
	case events.DeliverySkipped:
		level = zerolog.DebugLevel
	case events.DeliveryAgain, events.DeliveryRefused, events.DeliveryGivenUp:
		level = zerolog.WarnLevel
	}
	line := s.Log.WithLevel(level).Str("worker", Name).Str("shop", a.Shop).Str("invoice", a.InvoiceID).Str("destination", a.Destination).
		Str("event", string(a.Event)).Uint64("seq", a.Sequence).Int("attempt", a.Attempt).Str("outcome", string(a.Status)).Int64("ms", a.Millis).Str("detail", a.Detail)
	if a.Code > 0 {
		line = line.Int("code", a.Code)
	}
	if a.NextAt != nil {
		line = line.Time("next", *a.NextAt)
	}
	if a.Resent {
		line = line.Bool("resent", true)
	}
	line.Msg("attempted")
}

// clip bounds what a destination's answer can put into an event.
func clip(s string) string {
	if r := []rune(s); len(r) > mostDetail {
		return string(r[:mostDetail]) + "…"
	}
	return s
}
