package poller_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// terminals of shops: today's first, then those that they had before.
type terminals map[string][]string

func (s terminals) Terminal(shop string) (seqr.Principal, bool) {
	if len(s[shop]) == 0 {
		return seqr.Principal{}, false
	}
	return seqr.Terminal(s[shop][0], "secret"), true
}

func (s terminals) TerminalOf(shop, terminal string) (seqr.Principal, bool) {
	for _, t := range s[shop] {
		if t == terminal {
			return seqr.Terminal(t, "secret"), true
		}
	}
	return seqr.Principal{}, false
}

// ofTwoShops puts n open invoices of each of two shops on the index.
func ofTwoShops(t *testing.T, r *rig.Rig, n int) {
	t.Helper()
	recordAll(t, r, 2*n, func(i int) rig.Recorded {
		shop := []string{"acme", "other"}[i%2]
		return rig.Recorded{ID: fmt.Sprint(shop, i), Reference: fmt.Sprint(shop, i), Shop: shop, Terminal: shop + "-terminal"}
	})
}

// A copy without a shop's credentials, or that is set to serve others, leaves its invoices to a copy that has them.
func TestInvoicesComeToTheCopyThatHasTheirCredentials(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]func(*poller.Config){
		"no credentials": func(c *poller.Config) { c.Shops = terminals{"acme": {"acme-terminal"}} },
		"set for others": func(c *poller.Config) { c.Only = []string{"acme"} },
	} {
		t.Run(name, func(t *testing.T) {
			r := rig.New(t, sandbox.Config{})
			reg := prometheus.NewRegistry()
			both := terminals{"acme": {"acme-terminal"}, "other": {"other-terminal"}}
			lacking, has := always(seqr.StatusIssued, nil), always(seqr.StatusIssued, nil)
			cfg := config(r, lacking)
			cfg.Shops, cfg.Metrics = both, reg
			without(&cfg)
			r.Run(poller.New(cfg))
			ofTwoShops(t, r, 20)
			awaitValue(t, reg, "seqrflow_poller_not_served_total", func(v float64) bool { return v >= 20 })

			cfg = config(r, has)
			cfg.Shops = both
			r.Run(poller.New(cfg))
			for i := range 40 {
				if i%2 == 1 {
					has.await(t, fmt.Sprint("other", i), 2)
				}
			}
			for _, q := range lacking.questions() {
				if q.As.ID != "acme-terminal" {
					t.Errorf("asked as %s", q.As.ID)
				}
			}
			if n := r.Parked(); n != 0 {
				t.Errorf("%d parked", n)
			}
		})
	}
}

// A terminal that was replaced in the settings still has its invoices.
func TestCallsUseTheTerminalThatTheInvoiceWasIssuedOn(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	p := always(seqr.StatusIssued, nil)
	cfg := config(r, p)
	cfg.Shops = terminals{rig.Shop: {"new", "old"}}
	r.Run(poller.New(cfg))
	for _, terminal := range []string{"new", "old"} {
		r.Record(rig.Recorded{ID: terminal, Reference: "of-" + terminal, Terminal: terminal})
	}
	p.await(t, "of-new", 2)
	p.await(t, "of-old", 2)
	for _, q := range p.questions() {
		if q.InvoiceReference != "of-"+q.As.ID {
			t.Errorf("asked about %s as %s", q.InvoiceReference, q.As.ID)
		}
	}
}

// What nobody polls is an alarm, whether a poller has it in hand, gives it back, or does not run at all.
func TestUnwatchedIsAnAlarm(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	watcher := prometheus.NewRegistry() // of a process without a poller
	gauge := watching.NewGauge(r.Bus)
	if err := gauge.Register(watcher); err != nil {
		t.Fatal(err)
	}
	r.Run(gauge)
	ofTwoShops(t, r, 2)
	awaitValue(t, watcher, "seqrflow_unwatched_invoices", func(v float64) bool { return v == 4 })
	awaitValue(t, watcher, "seqrflow_open_invoices", func(v float64) bool { return v == 4 })

	reg := prometheus.NewRegistry()
	cfg := config(r, always(seqr.StatusIssued, nil))
	cfg.Shops, cfg.Metrics = terminals{"acme": {"acme-terminal"}}, reg
	stop := r.Run(poller.New(cfg))
	awaitValue(t, watcher, "seqrflow_unwatched_invoices", func(v float64) bool { return v == 2 })
	awaitValue(t, reg, "seqrflow_unwatched_invoices", func(v float64) bool { return v == 2 })
	awaitValue(t, reg, "seqrflow_poller_seconds_before_reversal", func(v float64) bool { return v < 16 })
	stop()

	reg = prometheus.NewRegistry()
	cfg.Shops, cfg.Metrics = terminals{"acme": {"acme-terminal"}, "other": {"other-terminal"}}, reg
	r.Run(poller.New(cfg))
	awaitValue(t, watcher, "seqrflow_unwatched_invoices", func(v float64) bool { return v == 0 })
	awaitValue(t, reg, "seqrflow_poller_seconds_before_reversal", func(v float64) bool { return v > 18 })
	awaitValue(t, reg, "seqrflow_poller_held_invoices", func(v float64) bool { return v == 4 })
}

// heldBy waits until two pollers hold numbers that fit.
func heldBy(t *testing.T, b *bus.Bus, fits func(held []int) bool) {
	t.Helper()
	var roll watching.Pollers
	heard, patience := make(chan struct{}, 100), time.After(rig.Patience)
	r := &rig.Rig{T: t}
	stop := r.Run(listening{b, func(w watching.Announcement) { roll.Note(w, time.Now()); heard <- struct{}{} }})
	defer stop()
	var held []int
	for {
		select {
		case <-heard:
		case <-patience:
			t.Fatalf("held: %v", held)
		}
		held = held[:0]
		for _, w := range roll.Living(time.Now()) {
			held = append(held, w.Held)
		}
		if fits(held) {
			return
		}
	}
}

// A copy that was alone for a while has everything; when the other is back they share it again.
func TestTwoPollersShareAgainAfterOneWasRestarted(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	const n = 200
	recordAll(t, r, n, func(i int) rig.Recorded { return rig.Recorded{ID: fmt.Sprint(i), Reference: fmt.Sprint(i)} })
	start := func() (p *provider, stop func()) {
		p = always(seqr.StatusIssued, nil)
		return p, r.Run(poller.New(config(r, p)))
	}
	start()
	heldBy(t, r.Bus, func(held []int) bool { return len(held) == 1 && held[0] == n })
	const mean = n / 2
	const most = mean + mean/4 + 10 // what a copy may have before it gives some back
	even := func(held []int) bool {
		return len(held) == 2 && held[0]+held[1] == n && max(held[0], held[1]) <= most
	}
	_, stop := start()
	heldBy(t, r.Bus, even)
	stop()
	heldBy(t, r.Bus, func(held []int) bool { return len(held) == 1 && held[0] == n })
	p, _ := start()
	heldBy(t, r.Bus, even)
	if asked := p.questions(); len(asked) < n-most {
		t.Errorf("the copy that came back has asked %d times", len(asked))
	}
	if c, err := r.Bus.OpenCount(t.Context()); err != nil || c != n {
		t.Errorf("%d entries, %v", c, err)
	}
}
