package sandbox

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Now is the time at the provider.
func (s *Sandbox) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock.now()
}

// setAlarm sets an alarm for the invoice if it changes by itself; mu is locked.
func (s *Sandbox) setAlarm(inv *invoice) {
	if at := s.changesAt(inv); !at.IsZero() {
		s.addAlarm(alarm{at: at, invoice: inv})
	}
}

func (s *Sandbox) addAlarm(a alarm) {
	if first := s.clock.add(a); first && !s.clock.manual {
		select {
		case s.earlier <- struct{}{}:
		default:
		}
	}
}

// changesAt is the instant at which an invoice changes by itself if no call changes it before; zero if it does not.
func (s *Sandbox) changesAt(inv *invoice) time.Time {
	switch {
	case inv.Status == Paid && inv.FetchedAt.IsZero():
		return inv.PaidAt.Add(s.cfg.Reversal)
	case inv.Status == Reserved:
		return inv.ReservedUntil
	case (inv.Status == Issued || inv.Status == Pending) && s.cfg.Lifetime > 0:
		return inv.IssuedAt.Add(s.cfg.Lifetime)
	}
	return time.Time{}
}

// catchUp does what is due by now, in the order of time; mu is locked. Every operation begins with it, so an answer never
// depends on how late watchClock wakes up. Calls that wait for a manual clock are left to Advance.
func (s *Sandbox) catchUp() { s.doDue(s.clock.now(), !s.clock.manual) }

// doDue does what is due until then: changes of invoices, and delayed calls if calls is true.
func (s *Sandbox) doDue(until time.Time, calls bool) {
	for {
		a, ok := s.clock.due(until, calls)
		if !ok {
			return
		}
		if s.clock.manual && a.at.After(s.clock.at) {
			s.clock.at = a.at
		}
		switch {
		case a.call != nil:
			close(a.call.due)
			s.waitFor(a.call)
		case s.changesAt(a.invoice).Equal(a.at): // else a call has changed it meanwhile
			s.changeByTime(a.invoice)
		}
	}
}

func (s *Sandbox) changeByTime(inv *invoice) {
	switch inv.Status {
	case Paid:
		s.reverse(inv)
	case Reserved:
		s.put("lapsed", inv.as(Canceled, reasonLapsed))
	default:
		s.put("expired", inv.as(Expired, reasonExpired))
	}
	s.unlogged = append(s.unlogged, inv.Invoice)
}

// reverse pays a payment back to the buyer that the shop has not fetched.
func (s *Sandbox) reverse(inv *invoice) {
	next := inv.as(Canceled, "the payment was reversed: the shop did not fetch PAID within "+s.cfg.Reversal.String())
	next.ReversedAt = s.clock.now()
	p := *s.st.payments[next.ErsReference]
	p.ReversedAt = next.ReversedAt
	s.commit(&effect{What: "reversed", Invoices: []*invoice{next}, Payment: &p, Reversal: &Reversal{
		ErsReference: p.ErsReference, InvoiceReference: p.InvoiceReference, Terminal: p.Terminal,
		ClientInvoiceID: p.ClientInvoiceID, Currency: p.Currency, Amount: p.Amount, At: p.ReversedAt, Reason: next.Reason,
	}})
}

// watchClock does what is due on a real clock: one goroutine and one timer, whatever the number of invoices.
func (s *Sandbox) watchClock() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s.mu.Lock()
		s.catchUp()
		wait := time.Hour
		if len(s.clock.alarms) > 0 {
			wait = max(0, s.clock.alarms[0].at.Sub(s.clock.now()))
		}
		s.unlock()
		timer.Reset(wait)
		select {
		case <-s.ended.Done():
			return
		case <-s.earlier:
		case <-timer.C:
		}
	}
}

// Advance moves a manual clock by d, and does on the way what is due, each thing at its own instant. It returns when that
// is done and durable. Several at once happen one after the other. A real clock is not moved; that and other errors are
// logged.
func (s *Sandbox) Advance(d time.Duration) {
	if err := s.advance(d); err != nil {
		s.log.Error().Err(err).Msg("the clock was not advanced")
	}
}

var (
	errRealClock = errors.New("the clock is real: start the sandbox with a manual clock to advance it")
	errBackwards = errors.New("d: must be a positive duration such as 25s")
	errTooFar    = errors.New("d: the clock does not go beyond the year 9997")
)

// lastYear is the last of a manual clock: 9999 is the last that can be written down, and a reservation may last for a
// year of 366 days.
const lastYear = 9997

func (s *Sandbox) advance(d time.Duration) error {
	if d < 0 {
		return errBackwards
	}
	s.advancing.Lock()
	defer s.advancing.Unlock()
	s.mu.Lock()
	if !s.clock.manual {
		s.mu.Unlock()
		return errRealClock
	}
	target := s.clock.at.Add(d)
	if target.Year() > lastYear {
		s.mu.Unlock()
		return errTooFar
	}
	s.doDue(target, true)
	s.clock.at = target
	written := s.commit(&effect{What: "advanced"})
	s.unlock()
	return s.journal.wait(written)
}

// delay waits for d on the provider's clock. ok is false if the sandbox was closed meanwhile; a client that hangs up does
// not undo its call, but ends the wait. A manual clock stands still from then on until end is called.
func (s *Sandbox) delay(ctx context.Context, d time.Duration) (end func(), ok bool) {
	call := &delayedCall{due: make(chan struct{}), over: make(chan struct{})}
	end = sync.OnceFunc(func() { close(call.over) })
	s.mu.Lock()
	s.addAlarm(alarm{at: s.clock.now().Add(d), call: call})
	s.mu.Unlock()
	select {
	case <-call.due:
		return end, true
	case <-ctx.Done():
		return end, !s.closed()
	case <-s.ended.Done():
		return end, false
	}
}

// waitFor unlocks mu while a call that was delayed on a manual clock is performed at its own instant.
func (s *Sandbox) waitFor(call *delayedCall) {
	if !s.clock.manual {
		return
	}
	s.unlock()
	select {
	case <-call.over:
	case <-s.ended.Done():
	}
	s.mu.Lock()
}
