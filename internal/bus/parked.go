package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ParkedMessage is one message of PARKED that a worker could not handle, with what became of it.
type ParkedMessage struct {
	events.Parked
	Seq     uint64        // on PARKED
	On      string        // the subject on PARKED
	Stored  time.Time     // when it was parked
	Decided ParkedDecided // what a person has decided last; zero if nothing
	Again   uint64        // where the worker parked the same message once more, after a replay; 0 if nowhere
	Err     error         // why the record cannot be read; nil when it can
}

// ParkedDecided is what a person has decided about a parked message.
type ParkedDecided struct {
	Event   string // events.ParkedReplayed or events.ParkedDismissed
	At      time.Time
	By, Why string // of a dismissal
	of      uint64 // the sequence of the parked message
	seq     uint64 // of the decision
}

// Open says that the message waits for a person: it was neither given back nor dismissed. A worker that parks it again makes
// a new record.
func (p ParkedMessage) Open() bool { return p.Decided.Event == "" }

// ScanParked goes through PARKED from a sequence on: it gives each parked message to parked, and each decision about one to
// decided, with the message's sequence. It returns the sequence up to which it has read. What cannot be read is a parked message.
func (b *Bus) ScanParked(ctx context.Context, from uint64, parked func(ParkedMessage), decided func(seq uint64, d ParkedDecided)) (uint64, error) {
	read := max(from, 1) - 1
	err := b.scanParked(ctx, Scan{Stream: events.ParkedStream, From: from},
		func(m ParkedMessage) { parked(m); read = m.Seq },
		func(seq uint64, d ParkedDecided) { decided(seq, d); read = d.seq })
	return read, err
}

func (b *Bus) scanParked(ctx context.Context, s Scan, parked func(ParkedMessage), decided func(seq uint64, d ParkedDecided)) error {
	_, err := b.Scan(ctx, s, func(e Entry) error {
		if m, d := parkedRecord(e); d.Event != "" {
			decided(d.of, d)
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
	var all parkedJoin
	_, err := b.ScanParked(ctx, 0, all.parked, all.decided)
	return all.list, err
}

// ErrNotParked says that a record of PARKED is no parked message but a decision about one.
var ErrNotParked = errors.New("not a parked message")

// ParkedAt gives one parked message, with what became of it.
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
		return m, fmt.Errorf("message %d is the replay of the parked message %d: %w", seq, d.of, ErrNotParked)
	case d.Event != "":
		return m, fmt.Errorf("message %d is the dismissal of the parked message %d: %w", seq, d.of, ErrNotParked)
	}
	var join parkedJoin
	if err := b.scanParked(ctx, Scan{Stream: events.ParkedStream, Filters: []string{e.Subject}}, join.parked, join.decided); err != nil {
		return m, err
	}
	for _, known := range join.list {
		if known.Seq == seq {
			return known, nil
		}
	}
	return m, nil
}

// LastParked gives what the worker has parked of a shop's invoice, order or period, all by their subject tokens, if that is the
// last record of it: ok is false when there is none, or when a person has replayed or dismissed something of it since.
func (b *Bus) LastParked(ctx context.Context, worker, shop, id string) (p events.Parked, ok bool, err error) {
	last, err := b.last(ctx, events.ParkedStream, events.ParkedSubject(worker, shop, id))
	if err != nil || last.Seq == 0 {
		return p, false, err
	}
	p, event, err := DecodeParked(last.Body)
	return p, err == nil && event == events.ParkedParked, err
}

// parkedJoin joins parked messages with what became of them.
type parkedJoin struct {
	list []ParkedMessage
	at   map[uint64]int         // place in the list, by sequence on PARKED
	last map[parkedOriginal]int // place in the list of the last record of an original
}

// parkedOriginal names the message that a worker could not handle, and the worker.
type parkedOriginal struct {
	consumer, stream string
	seq              uint64
}

func (j *parkedJoin) parked(m ParkedMessage) {
	if j.at == nil {
		j.at, j.last = map[uint64]int{}, map[parkedOriginal]int{}
	}
	original := parkedOriginal{m.Consumer, m.Stream, m.Sequence}
	if before, known := j.last[original]; known && m.Err == nil && !j.list[before].Open() {
		j.list[before].Again = m.Seq
	}
	j.at[m.Seq], j.last[original] = len(j.list), len(j.list)
	j.list = append(j.list, m)
}

func (j *parkedJoin) decided(seq uint64, d ParkedDecided) {
	if i, known := j.at[seq]; known {
		j.list[i].Decided = d
	}
}

// OpenParked counts the messages that are parked and were neither replayed nor dismissed, and tells when the oldest of them was parked.
func (b *Bus) OpenParked(ctx context.Context) (n int, oldest time.Time, err error) {
	open := openParked{}
	if err := open.read(ctx, b); err != nil {
		return 0, oldest, err
	}
	return len(open.since), open.oldest(), nil
}

// openParked are the parked messages that were neither replayed nor dismissed, as far as PARKED is read. It keeps of each no more than when
// it was parked.
type openParked struct {
	upTo  uint64
	since map[uint64]time.Time
}

// read goes on where the last reading ended, also when that was interrupted.
func (o *openParked) read(ctx context.Context, b *Bus) error {
	if o.since == nil {
		o.since = map[uint64]time.Time{}
	}
	var err error
	o.upTo, err = b.ScanParked(ctx, o.upTo+1,
		func(p ParkedMessage) { o.since[p.Seq] = p.Stored },
		func(seq uint64, _ ParkedDecided) { delete(o.since, seq) })
	return err
}

func (o *openParked) oldest() (oldest time.Time) {
	for _, at := range o.since {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}
