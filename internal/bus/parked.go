package bus

import (
	"context"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ParkedMessage is one message of PARKED that a worker could not handle, with what became of it.
type ParkedMessage struct {
	events.Parked
	Seq      uint64    // on PARKED
	On       string    // the subject on PARKED
	Stored   time.Time // when it was parked
	Replayed time.Time // when it was last given back; zero if never
	Err      error     // why the record cannot be read; nil when it can
}

// Open says that the message waits for a person: it was not given back. A worker that parks it again makes a new record.
func (p ParkedMessage) Open() bool { return p.Replayed.IsZero() }

// ScanParked goes through PARKED from a sequence on: it gives each parked message to parked, and for each replay the sequence
// of the message that was given back. It returns the sequence up to which it has read. What cannot be read is a parked message.
func (b *Bus) ScanParked(ctx context.Context, from uint64, parked func(ParkedMessage), replayed func(seq uint64, at time.Time)) (uint64, error) {
	read := max(from, 1) - 1
	_, err := b.Scan(ctx, Scan{Stream: events.ParkedStream, From: from}, func(e Entry) error {
		p, back, err := DecodeParked(e.Body)
		if err == nil && back {
			replayed(p.Replays, e.Time)
		} else {
			parked(ParkedMessage{Parked: p, Seq: e.Seq, On: e.Subject, Stored: e.Time, Err: err})
		}
		read = e.Seq
		return nil
	})
	return read, err
}

// ParkedMessages gives every message that was ever parked, oldest first, with what became of it.
func (b *Bus) ParkedMessages(ctx context.Context) ([]ParkedMessage, error) {
	var all []ParkedMessage
	at := map[uint64]int{}
	_, err := b.ScanParked(ctx, 0, func(p ParkedMessage) {
		at[p.Seq] = len(all)
		all = append(all, p)
	}, func(seq uint64, when time.Time) {
		if i, known := at[seq]; known {
			all[i].Replayed = when
		}
	})
	return all, err
}

// OpenParked counts the messages that are parked and were not replayed, and tells when the oldest of them was parked.
func (b *Bus) OpenParked(ctx context.Context) (n int, oldest time.Time, err error) {
	open := openParked{}
	if err := open.read(ctx, b); err != nil {
		return 0, oldest, err
	}
	return len(open.since), open.oldest(), nil
}

// openParked are the parked messages that were not replayed, as far as PARKED is read. It keeps of each no more than when
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
		func(seq uint64, _ time.Time) { delete(o.since, seq) })
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
