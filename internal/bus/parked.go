package bus

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ParkedMessage is one message of PARKED that a worker could not handle, with what became of it.
type ParkedMessage struct {
	events.Parked
	Seq     uint64        // on PARKED
	On      string        // the subject on PARKED
	Stored  time.Time     // when it was parked
	Decided ParkedDecided // what an operator has decided last; zero if nothing
	Again   uint64        // where the worker parked the same message once more, after a replay; 0 if nowhere
	Err     error         // why the record cannot be read; nil when it can
}

// ParkedDecided is what an operator has decided about a parked message.
type ParkedDecided struct {
	Event   string // events.ParkedReplayed or events.ParkedDismissed
	At      time.Time
	By, Why string // of a dismissal
	of      uint64 // the sequence of the parked message
	seq     uint64 // of the decision
}

// Open says whether the message waits for a person: it was neither replayed nor dismissed. A worker that parks it again makes a new
// record.
func (p ParkedMessage) Open() bool { return p.Decided.Event == "" }

// scanParked gives each parked message of the scan to parked, and each decision about one to decided. What cannot be read is a
// parked message.
func (b *Bus) scanParked(ctx context.Context, s Scan, parked func(ParkedMessage), decided func(ParkedDecided)) error {
	s.Stream = events.ParkedStream
	_, err := b.Scan(ctx, s, func(e Entry) error {
		if m, d := parkedRecord(e); d.Event != "" {
			decided(d)
		} else {
			parked(m)
		}
		return nil
	})
	return err
}

// parkedRecord reads one record of PARKED: a parked message, or a decision about one.
func parkedRecord(e Entry) (ParkedMessage, ParkedDecided) {
	p, event, err := events.DecodeParked(e.Body)
	m := ParkedMessage{Parked: p, Seq: e.Seq, On: e.Subject, Stored: e.Time, Err: err}
	if err != nil || event == events.ParkedParked {
		return m, ParkedDecided{}
	}
	return m, ParkedDecided{Event: event, At: e.Time, By: p.By, Why: p.Why, of: p.Replays + p.Dismisses, seq: e.Seq}
}

// ParkedMessages gives every message that was ever parked, oldest first, with what became of it.
func (b *Bus) ParkedMessages(ctx context.Context) ([]ParkedMessage, error) {
	return b.joinParked(ctx, Scan{})
}

// ParkedAt gives one parked message, with what became of it. The error is [ErrNoMessage] when there is no message of that sequence,
// and another one when it is a decision about a parked message.
func (b *Bus) ParkedAt(ctx context.Context, seq uint64) (ParkedMessage, error) {
	e, err := b.MessageAt(ctx, events.ParkedStream, seq)
	if err != nil {
		return ParkedMessage{}, err
	}
	m, d := parkedRecord(e)
	switch {
	case m.Err != nil:
		return m, m.Err
	case d.Event == events.ParkedReplayed:
		return m, fmt.Errorf("message %d is the replay of the parked message %d", seq, d.of)
	case d.Event != "":
		return m, fmt.Errorf("message %d is the dismissal of the parked message %d", seq, d.of)
	}
	all, err := b.joinParked(ctx, Scan{Filters: []string{e.Subject}})
	if i := slices.IndexFunc(all, func(known ParkedMessage) bool { return known.Seq == seq }); i >= 0 {
		m = all[i]
	}
	return m, err
}

// joinParked joins the parked messages of the scan with what became of them.
func (b *Bus) joinParked(ctx context.Context, s Scan) (list []ParkedMessage, err error) {
	type original struct { // the message that a worker could not handle, and the worker
		consumer, stream string
		seq              uint64
	}
	at, last := map[uint64]int{}, map[original]int{} // places in the list: by sequence on PARKED, and of the last record of an original
	err = b.scanParked(ctx, s, func(m ParkedMessage) {
		o := original{m.Consumer, m.Stream, m.Sequence}
		if before, known := last[o]; known && m.Err == nil && !list[before].Open() {
			list[before].Again = m.Seq
		}
		at[m.Seq], last[o] = len(list), len(list)
		list = append(list, m)
	}, func(d ParkedDecided) {
		if i, known := at[d.of]; known {
			list[i].Decided = d
		}
	})
	return list, err
}

// LastParked gives what the worker has parked of a shop's invoice, order or period, all by their subject tokens, if that is the
// last record of it: ok is false when there is none, or when an operator has replayed or dismissed something of it since.
func (b *Bus) LastParked(ctx context.Context, worker, shop, id string) (p events.Parked, ok bool, err error) {
	last, err := b.last(ctx, events.ParkedStream, events.ParkedSubject(worker, shop, id))
	if err != nil || last.Seq == 0 {
		return p, false, err
	}
	p, event, err := events.DecodeParked(last.Body)
	return p, err == nil && event == events.ParkedParked, err
}

// GivenUp is LastParked, also when an operator has dismissed it since: the worker does nothing more about it until it is replayed.
func (b *Bus) GivenUp(ctx context.Context, worker, shop, id string) (p events.Parked, ok bool, err error) {
	all, err := b.few(ctx, events.ParkedStream, events.ParkedSubject(worker, shop, id))
	for _, e := range slices.Backward(all) {
		p, event, err := events.DecodeParked(e.Body)
		if err != nil || event != events.ParkedDismissed {
			return p, err == nil && event == events.ParkedParked, err
		}
	}
	return p, false, err
}

// OpenParked gives the parked messages that wait for a person, oldest first.
func (b *Bus) OpenParked(ctx context.Context) ([]ParkedMessage, error) {
	all, err := b.joinParked(ctx, Scan{})
	return slices.DeleteFunc(all, func(m ParkedMessage) bool { return !m.Open() }), err
}

// countingTime bounds how long a scrape waits for the parked messages to be counted.
const countingTime = time.Second

// ParkedGauge is the metric of the parked messages that wait for a person: their number, and the age of the oldest. Each scrape reads
// on from where the last one ended.
type ParkedGauge struct {
	bus           *Bus
	count, oldest *prometheus.Desc

	mu   sync.Mutex
	off  bool                 // this process's user may not read PARKED
	upTo uint64               // how far PARKED is read
	open map[uint64]time.Time // when each open message was parked, by sequence
}

// NewParkedGauge makes the metric. It is not registered.
func NewParkedGauge(b *Bus) *ParkedGauge {
	return &ParkedGauge{
		bus:    b,
		open:   map[uint64]time.Time{},
		count:  prometheus.NewDesc("seqrflow_parked_open", "Messages that are parked and were neither replayed nor dismissed, by all workers.", nil, nil),
		oldest: prometheus.NewDesc("seqrflow_parked_oldest_seconds", "Seconds since the oldest of the open parked messages was parked; 0 when there is none.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *ParkedGauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.count; ch <- g.oldest }

// Collect implements prometheus.Collector. It takes a second at most, and gives no figures while the broker does not answer, or while
// PARKED is so long that several scrapes have to read it.
func (g *ParkedGauge) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countingTime)
	defer cancel()
	if !g.mu.TryLock() {
		return // another scrape is counting
	}
	defer g.mu.Unlock()
	if g.off {
		return
	}
	err := g.bus.scanParked(ctx, Scan{From: g.upTo + 1}, func(m ParkedMessage) {
		g.upTo, g.open[m.Seq] = m.Seq, m.Stored
	}, func(d ParkedDecided) {
		g.upTo = d.seq
		delete(g.open, d.of)
	})
	if err != nil {
		if refused(g.bus.denied(err)) {
			g.off = true // the figures of processes that may are enough
			return
		}
		g.bus.log.Warn().Err(err).Uint64("read", g.upTo).Msg("counting what is parked; the next scrape goes on")
		return
	}
	age := time.Duration(0)
	for _, stored := range g.open {
		age = max(age, g.bus.Now().Sub(stored))
	}
	ch <- prometheus.MustNewConstMetric(g.count, prometheus.GaugeValue, float64(len(g.open)))
	ch <- prometheus.MustNewConstMetric(g.oldest, prometheus.GaugeValue, age.Seconds())
}
