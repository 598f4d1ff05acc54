package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Sandbox is the provider. It is an http.Handler; see docs/sandbox.md for its addresses.
type Sandbox struct {
	cfg     Config
	log     zerolog.Logger
	faults  *faultBox
	notices *notifier
	pages   *pages
	wsdl    wsdl
	journal *journal // nil: memory only

	turn   chan struct{} // holds the one Advance under way, which lets go of mu on its way
	queued chan struct{} // takes what the others give while they wait for their turn

	mu    sync.Mutex
	clock clock
	st    *store
	news  []Invoice // what time has changed, to be logged once the lock is let go

	kick chan struct{} // an alarm was set that is earlier than all others
	done chan struct{}
	once sync.Once
	wg   sync.WaitGroup
}

// New starts a sandbox, remembering what Config.Data holds.
func New(cfg Config) (*Sandbox, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("sandbox settings: %w", err)
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	wsdl, err := parseWSDL()
	if err != nil {
		return nil, err
	}
	s := &Sandbox{
		cfg: cfg, log: cfg.Log, pages: pages, wsdl: wsdl,
		faults: newFaultBox(cfg.Seed), notices: newNotifier(cfg.Log),
		clock: newClock(cfg.ManualClock, cfg.Start), st: newStore(&cfg),
		turn: make(chan struct{}, 1), queued: make(chan struct{}),
		kick: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if cfg.Data != "" {
		if s.journal, err = openJournal(cfg.Data, s.replay); err != nil {
			return nil, err
		}
	}
	for _, inv := range s.st.issued {
		s.arm(inv)
	}
	if !cfg.ManualClock {
		s.wg.Go(s.watch)
	}
	return s, nil
}

func (s *Sandbox) replay(e *effect) {
	s.st.apply(e)
	s.clock.resume(e.At, s.cfg.Start)
}

// Close ends the sandbox: calls that a fault delays are let go without effect, notifications under way are given up.
// What was answered is already durable.
func (s *Sandbox) Close() error {
	var err error
	s.once.Do(func() {
		close(s.done)
		s.wg.Wait()
		s.notices.close()
		err = s.journal.close()
	})
	return err
}

func (s *Sandbox) closed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Now is the time at the provider.
func (s *Sandbox) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock.now()
}

// commit writes an effect down and applies it; the lock is held. The invoices in it are copies the caller has changed.
func (s *Sandbox) commit(e *effect) int64 {
	e.At = s.clock.now()
	e.Serial, e.Reference = s.st.serial, s.st.reference
	var written int64
	if s.journal != nil {
		written = s.journal.append(e)
	}
	for _, inv := range e.Invoices {
		inv.written = written
	}
	s.st.apply(e)
	for _, inv := range e.Invoices {
		s.arm(s.st.invoices[inv.InvoiceReference])
	}
	return written
}

// arm sets the alarm for what time will do to the invoice, if anything.
func (s *Sandbox) arm(inv *invoice) {
	at := s.fate(inv)
	if at.IsZero() {
		return
	}
	s.wakeAt(alarm{at: at, invoice: inv})
}

func (s *Sandbox) wakeAt(a alarm) {
	s.clock.arm(a)
	if s.clock.alarms[0].order == s.clock.set && !s.clock.manual {
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
}

// fate is the instant at which an invoice that nobody touches changes by itself; zero if it does not.
func (s *Sandbox) fate(inv *invoice) time.Time {
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

// catchUp does whatever is due by now, in the order of time; the lock is held. Every operation begins with it, so an
// answer never depends on how late the watch wakes up. Calls that wait for a manual clock are left to Advance.
func (s *Sandbox) catchUp() { s.ring(s.clock.now(), !s.clock.manual) }

func (s *Sandbox) ring(until time.Time, calls bool) {
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
			close(a.call.goOn)
			s.await(a.call)
		case s.fate(a.invoice).Equal(a.at):
			s.meetFate(a.invoice)
		}
	}
}

func (s *Sandbox) meetFate(inv *invoice) {
	next := *inv
	next.Version++
	switch inv.Status {
	case Paid:
		s.reverse(&next)
	case Reserved:
		next.Status, next.Reason = Canceled, reasonLapsed
		s.commit(&effect{What: "lapsed", Invoices: []*invoice{&next}})
	default:
		next.Status, next.Reason = Expired, reasonExpired
		s.commit(&effect{What: "expired", Invoices: []*invoice{&next}})
	}
	s.news = append(s.news, inv.Invoice)
}

// unlock lets go of the books, and then tells what time has done to them.
func (s *Sandbox) unlock() {
	news := s.news
	s.news = nil
	s.mu.Unlock()
	for _, inv := range news {
		s.log.Info().Str("invoice", inv.InvoiceReference).Str("terminal", inv.Terminal).
			Str("clientInvoiceId", inv.ClientInvoiceID).Str("status", string(inv.Status)).
			Str("reason", inv.Reason).Msg("time is up")
	}
}

func (s *Sandbox) reverse(next *invoice) {
	now := s.clock.now()
	p := *s.st.payments[next.ErsReference]
	p.ReversedAt = now
	next.Status, next.ReversedAt = Canceled, now
	next.Reason = "the payment was reversed: the shop did not fetch PAID within " + s.cfg.Reversal.String()
	s.commit(&effect{What: "reversed", Invoices: []*invoice{next}, Payment: &p, Reversal: &Reversal{
		ErsReference: p.ErsReference, InvoiceReference: p.InvoiceReference, Terminal: p.Terminal,
		ClientInvoiceID: p.ClientInvoiceID, Currency: p.Currency, Amount: p.Amount, At: now, Reason: next.Reason,
	}})
}

// watch rings the alarms of a real clock: one goroutine, one timer, whatever the number of invoices.
func (s *Sandbox) watch() {
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
		case <-s.done:
			return
		case <-s.kick:
		case <-timer.C:
		}
	}
}

// Advance moves a manual clock, doing on the way what is due, each thing at its own instant. With a real clock it
// does nothing.
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

// lastYear is the last of a manual clock: 9999 is the last that can be written down, and a reservation may hold for a
// year of 366 days.
const lastYear = 9997

func (s *Sandbox) advance(d time.Duration) error {
	if d < 0 {
		return errBackwards
	}
	s.takeTurn()
	defer func() { <-s.turn }()
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
	s.ring(target, true)
	s.clock.at = target
	written := s.commit(&effect{What: "advanced"})
	s.unlock()
	return s.journal.wait(written)
}

// takeTurn waits until no other Advance is under way.
func (s *Sandbox) takeTurn() {
	for {
		select {
		case s.turn <- struct{}{}:
			return
		case s.queued <- struct{}{}:
		}
	}
}

// pause waits on the provider's clock, until the caller has gone or the sandbox is closed; only then is goOn false. A
// manual clock stands still from then on until the call is over.
func (s *Sandbox) pause(ctx context.Context, d time.Duration) (call *delayed, goOn bool) {
	call = newDelayed()
	s.mu.Lock()
	s.wakeAt(alarm{at: s.clock.now().Add(d), call: call})
	s.mu.Unlock()
	select {
	case <-call.goOn:
		return call, true
	case <-ctx.Done():
		return call, !s.closed()
	case <-s.done:
		return call, false
	}
}

// await lets go of the books while a call that a manual clock has woken is made at its own instant. Whoever is told
// of its effect is waited for too, unless another Advance is: it may be theirs.
func (s *Sandbox) await(call *delayed) {
	if !s.clock.manual {
		return
	}
	s.unlock()
	select {
	case <-call.made:
	case <-s.done:
	}
	select {
	case <-call.told:
	case <-s.queued:
	case <-s.done:
	}
	s.mu.Lock()
}

// newReference is an invoiceReference: 13 digits that begin as the milliseconds since 1970, so that a sandbox without
// a data folder does not give out an old one again.
func (s *Sandbox) newReference() string {
	s.st.reference = max(s.st.reference+1, s.clock.now().UnixMilli())
	return strconv.FormatInt(s.st.reference, 10)
}

// newSerial is the 25 digits of a payment, a refund or a period: when, and which.
func (s *Sandbox) newSerial() string {
	s.st.serial++
	at := strings.Replace(s.clock.now().Format("20060102150405.000"), ".", "", 1)
	return at + fmt.Sprintf("%08d", s.st.serial%1e8)
}

// WalletURL is the page where the buyer finds the invoice.
func (s *Sandbox) WalletURL(invoiceReference string) string {
	return strings.TrimSuffix(s.cfg.BaseURL, "/") + "/R" + invoiceReference
}
