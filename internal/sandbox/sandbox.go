package sandbox

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/rs/zerolog"
)

// Sandbox is a provider. It is an http.Handler; docs/sandbox.md lists its addresses. All methods may be called
// concurrently.
type Sandbox struct {
	cfg      Config
	log      zerolog.Logger
	faults   *faults
	notifier *notifier
	journal  *journal // nil without Config.Data

	earlier   chan struct{} // receives when an alarm was set that is earlier than all others
	advancing sync.Mutex    // locked before mu by an Advance, which unlocks mu at times

	mu       sync.Mutex
	clock    clock
	st       *store
	unlogged []Invoice // changed by time, and not logged yet

	ended context.Context // by Close
	end   context.CancelFunc
	once  sync.Once
	wg    sync.WaitGroup
}

// New starts a sandbox in the state that the folder Config.Data holds. The error names every setting that is wrong, or
// says why the folder cannot be used.
func New(cfg Config) (*Sandbox, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("sandbox settings: %w", err)
	}
	s := &Sandbox{
		cfg: cfg, log: cfg.Log, faults: newFaults(cfg.Seed), notifier: newNotifier(cfg.Log),
		clock: newClock(cfg.ManualClock, cfg.Start), st: newStore(&cfg), earlier: make(chan struct{}, 1),
	}
	s.ended, s.end = context.WithCancel(context.Background())
	if cfg.Data != "" {
		var err error
		if s.journal, err = openJournal(cfg.Data, s.replay); err != nil {
			return nil, err
		}
	}
	for _, inv := range s.st.issued {
		s.setAlarm(inv)
	}
	if !cfg.ManualClock {
		s.wg.Go(s.watchClock)
	}
	return s, nil
}

func (s *Sandbox) replay(e *effect) {
	s.st.apply(e)
	s.clock.resume(e.At, s.cfg.Start)
}

// Close ends the sandbox. Calls that a fault delays end without effect, and notifications under way are given up. What was
// answered is already durable. The error is of writing the journal.
func (s *Sandbox) Close() error {
	var err error
	s.once.Do(func() {
		s.end()
		s.wg.Wait()
		s.notifier.close()
		err = s.journal.close()
	})
	return err
}

func (s *Sandbox) closed() bool { return s.ended.Err() != nil }

// commit writes an effect into the journal and applies it. mu is locked. The invoices in the effect are changed copies. It
// gives the number to wait for until the effect is durable.
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
		s.setAlarm(s.st.invoices[inv.InvoiceReference])
	}
	return written
}

// put commits an effect on one invoice.
func (s *Sandbox) put(what string, next *invoice) int64 {
	return s.commit(&effect{What: what, Invoices: []*invoice{next}})
}

// unlock unlocks mu, and then logs what has changed by time.
func (s *Sandbox) unlock() {
	unlogged := s.unlogged
	s.unlogged = nil
	s.mu.Unlock()
	for _, inv := range unlogged {
		s.log.Info().Str("invoice", inv.InvoiceReference).Str("terminal", inv.Terminal).
			Str("clientInvoiceId", inv.ClientInvoiceID).Str("status", string(inv.Status)).
			Str("reason", inv.Reason).Msg("time is up")
	}
}

// newReference gives an invoiceReference: 13 digits that begin as the milliseconds since 1970, so that a sandbox without
// a data folder does not give one that an earlier sandbox has given.
func (s *Sandbox) newReference() string {
	s.st.reference = max(s.st.reference+1, s.clock.now().UnixMilli())
	return strconv.FormatInt(s.st.reference, 10)
}

// newSerial gives the 25 digits of a payment, a refund or a period: the time, and a number.
func (s *Sandbox) newSerial() string {
	s.st.serial++
	at := strings.Replace(s.clock.now().Format("20060102150405.000"), ".", "", 1)
	return at + fmt.Sprintf("%08d", s.st.serial%1e8)
}
