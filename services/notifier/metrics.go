package notifier

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// metrics of the destinations.
type metrics struct {
	attempts *prometheus.CounterVec
	backlog  *prometheus.GaugeVec
	oldest   *prometheus.GaugeVec

	mu      sync.Mutex
	waiting map[target]map[uint64]waitingEvent // by sequence: events that were tried and have not ended
}

// target names a destination in metrics.
type target struct{ shop, destination string }

type waitingEvent struct {
	at     time.Time // when it was stored
	resent bool
}

// statuses of attempts, whose counters are at 0 from the start.
var statuses = []events.DeliveryStatus{events.DeliveryDelivered, events.DeliverySkipped, events.DeliveryRefused, events.DeliveryAgain, events.DeliveryGivenUp}

func newMetrics(reg prometheus.Registerer, all []Destination) *metrics {
	labels := []string{"shop", "destination"}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "seqrflow", Name: name, Help: help}, labels)
	}
	m := &metrics{
		waiting: map[target]map[uint64]waitingEvent{},
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "seqrflow", Name: "notifier_attempts_total",
			Help: "Attempts to tell a shop's system about an event, by what became of them: delivered, skipped (nothing to tell), again (comes again), refused and given_up (parked)."},
			append(labels, "outcome")),
		backlog: gauge("notifier_backlog", "Events that a destination has still to be told, those included that are none of its events."),
		oldest:  gauge("notifier_oldest_waiting_seconds", "Seconds since the oldest event happened that this process has tried to tell a destination and that has not ended; 0 when there is none."),
	}
	for _, d := range all {
		for _, s := range statuses {
			m.attempts.WithLabelValues(d.Shop, d.Name, string(s))
		}
	}
	if reg != nil {
		reg.MustRegister(m.attempts, m.backlog, m.oldest)
	}
	return m
}

// mostWaiting bounds what is remembered of one destination.
const mostWaiting = 10_000

func (m *metrics) attempted(d Destination, a events.DeliveryAttempt) {
	m.attempts.WithLabelValues(d.Shop, d.Name, string(a.Status)).Inc()
	t := target{d.Shop, d.Name}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.waiting[t]
	switch {
	case a.Status != events.DeliveryAgain:
		delete(all, a.Sequence)
	case all == nil:
		m.waiting[t] = map[uint64]waitingEvent{a.Sequence: {a.EventAt, a.Resent}}
	case len(all) < mostWaiting:
		all[a.Sequence] = waitingEvent{a.EventAt, a.Resent}
	}
}

// ended forgets the events up to the floor of the durable: another copy has ended what this one has tried. What an operator has replayed
// is not of the durable.
func (m *metrics) ended(d Destination, floor uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.waiting[target{d.Shop, d.Name}], func(seq uint64, e waitingEvent) bool { return seq <= floor && !e.resent })
}

// oldestOf gives the age of the oldest event that was tried and has not ended.
func (m *metrics) oldestOf(d Destination, now time.Time) (age time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.waiting[target{d.Shop, d.Name}] {
		age = max(age, now.Sub(e.at))
	}
	return age
}

// backlogEvery is how often the broker is asked how much waits.
const backlogEvery = 15 * time.Second

// watchBacklogs keeps the gauges until ctx ends.
func (w *Worker) watchBacklogs(ctx context.Context) error {
	t := time.NewTicker(backlogEvery)
	defer t.Stop()
	for {
		for _, d := range w.Destinations {
			w.lookAtBacklog(ctx, d)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (w *Worker) lookAtBacklog(ctx context.Context, d Destination) {
	if state, err := w.Bus.ConsumerState(ctx, consumer(d.Shop, d.Name, false)); err == nil {
		w.metrics.backlog.WithLabelValues(d.Shop, d.Name).Set(float64(state.Waiting))
		w.metrics.ended(d, state.Floor)
	} else if ctx.Err() == nil {
		w.Log.Debug().Err(err).Str("shop", d.Shop).Str("destination", d.Name).Msg("asking for the backlog")
	}
	w.metrics.oldest.WithLabelValues(d.Shop, d.Name).Set(w.metrics.oldestOf(d, w.Bus.Now()).Seconds())
}
