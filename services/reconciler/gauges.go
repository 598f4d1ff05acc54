package reconciler

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// surveyEvery is how often the streams are read on for the gauges.
const surveyEvery = 10 * time.Second

// gauges are the metrics of what a person has to look at. None has a value before the streams were read once.
type gauges struct{ inDoubt, age, mismatched *prometheus.GaugeVec }

func newGauges() gauges {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "seqrflow", Name: name, Help: help}, labels)
	}
	return gauges{
		inDoubt:    gauge("refunds_in_doubt", "Refunds of all shops that may or may not have been paid, or that have been sending for over a minute. Told by the reconciler, every 10 s. Alert above 0."),
		age:        gauge("reconciled_period_age_seconds", "Seconds since a period of the terminal last agreed with the provider's report; only terminals that ever closed a period. Alert above 172800, two days.", "terminal"),
		mismatched: gauge("period_mismatched", "1 if the terminal's last compared period has differences, else 0. Alert above 0.", "terminal"),
	}
}

// follow reads what is new on the streams, every 10 s until ctx ends.
func (g gauges) follow(ctx context.Context, w *Worker) error {
	var s Survey
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
