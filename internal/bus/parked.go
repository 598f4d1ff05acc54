package bus

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

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
	p, event, err := DecodeParked(e.Body)
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
	p, event, err := DecodeParked(last.Body)
	return p, err == nil && event == events.ParkedParked, err
}

// OpenParked gives the parked messages that wait for a person, oldest first.
func (b *Bus) OpenParked(ctx context.Context) ([]ParkedMessage, error) {
	var open openParked
	err := open.read(ctx, b)
	return open.list(), err
}

// openParked are the parked messages that wait for a person, as far as PARKED is read.
type openParked struct {
	counts bool // the messages are only counted: what they hold is not kept
	upTo   uint64
	open   map[uint64]ParkedMessage // by sequence
}

// read goes on where the last reading ended, also when that was interrupted.
func (o *openParked) read(ctx context.Context, b *Bus) error {
	if o.open == nil {
		o.open = map[uint64]ParkedMessage{}
	}
	return b.scanParked(ctx, Scan{From: o.upTo + 1}, func(m ParkedMessage) {
		if o.upTo = m.Seq; o.counts {
			m = ParkedMessage{Seq: m.Seq, Stored: m.Stored}
		}
		o.open[m.Seq] = m
	}, func(d ParkedDecided) {
		o.upTo = d.seq
		delete(o.open, d.of)
	})
}

func (o *openParked) list() []ParkedMessage {
	return slices.SortedFunc(maps.Values(o.open), func(a, b ParkedMessage) int { return cmp.Compare(a.Seq, b.Seq) })
}

// DecodeParked reads a record of PARKED. event is events.ParkedParked when a worker parked a message, events.ParkedReplayed or
// events.ParkedDismissed when an operator decided about one.
func DecodeParked(body []byte) (p events.Parked, event string, err error) {
	p, e, err := dataOf[events.Parked](body)
	for _, decided := range []string{events.ParkedReplayed, events.ParkedDismissed} {
		if e.Type == events.TypeOf("parked."+decided) {
			return p, decided, err
		}
	}
	return p, events.ParkedParked, err
}
