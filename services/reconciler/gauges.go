package reconciler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// surveyEvery is how often the streams are read on for the gauges.
const surveyEvery = 10 * time.Second

// gauges tell what a person has to look after. They are there once the streams were read the first time.
type gauges struct {
	doubts, age, mismatched *prometheus.Desc

	mu       sync.Mutex
	read     bool
	inDoubt  int
	agreed   map[string]time.Time // by terminal: when its last period was compared that agreed
	compared map[string]events.PeriodState
}

func newGauges() *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("seqrflow_"+name, help, labels, nil)
	}
	return &gauges{
		doubts:     desc("refunds_in_doubt", "Refunds of all shops that may or may not have been paid, or that have been sending for over a minute. Told by the reconciler, every 10 s. Alert above 0."),
		age:        desc("reconciled_period_age_seconds", "Seconds since a period of the terminal last agreed with the provider's report; only terminals that ever closed a period. Alert above 172800, two days.", "terminal"),
		mismatched: desc("period_mismatched", "1 if the terminal's last compared period has differences, else 0. Alert above 0.", "terminal"),
		agreed:     map[string]time.Time{}, compared: map[string]events.PeriodState{},
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- g.doubts
	ch <- g.age
	ch <- g.mismatched
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.read {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(g.doubts, float64(g.inDoubt))
	for terminal, at := range g.agreed {
		gauge(g.age, time.Since(at).Seconds(), terminal)
	}
	for terminal, state := range g.compared {
		n := 0.0
		if state == events.PeriodMismatched {
			n = 1
		}
		gauge(g.mismatched, n, terminal)
	}
}

// run reads the streams on, now and again, until ctx ends.
func (g *gauges) run(ctx context.Context, w *Worker) error {
	var s Survey
	t := time.NewTicker(surveyEvery)
	defer t.Stop()
	for {
		if err := g.look(ctx, w.Bus, &s); err != nil && ctx.Err() == nil && w.sometimes.OK("survey") {
			w.Log.Warn().Err(err).Str("worker", Name).Msg("counting refunds in doubt; it goes on")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (g *gauges) look(ctx context.Context, b *bus.Bus, s *Survey) error {
	if err := s.Read(ctx, b); err != nil {
		return err
	}
	inDoubt, err := s.Refunds(ctx, b)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.read, g.inDoubt = true, len(inDoubt)
	for terminal, p := range s.Compared {
		g.compared[terminal] = p.State
	}
	for terminal, at := range s.Agreed {
		g.agreed[terminal] = at
	}
	return nil
}

func register(reg prometheus.Registerer, c prometheus.Collector) error {
	if reg == nil {
		return nil
	}
	err := reg.Register(c)
	if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return nil
	}
	return err
}
