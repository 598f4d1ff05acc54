package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoMessage says that the stream has no message of that sequence.
var ErrNoMessage = errors.New("there is no such message")

// MessageAt gives one message by its sequence.
func (b *Bus) MessageAt(ctx context.Context, stream string, seq uint64) (Entry, error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return Entry{}, err
	}
	m, err := messageAt(ctx, s, seq)
	if err == nil && m == nil {
		err = ErrNoMessage
	}
	if err != nil {
		return Entry{}, fmt.Errorf("message %d of %s: %w", seq, stream, err)
	}
	return entryOf(stream, m), nil
}

// messageAt gives nil when there is none.
func messageAt(ctx context.Context, s jetstream.Stream, seq uint64, opts ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := s.GetMsg(ctx, seq, opts...)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	return m, err
}

// scanFew is Scan for the messages of a few invoices, orders, periods or parked messages.
func (b *Bus) scanFew(ctx context.Context, s Scan, wide []string, last uint64, take func(Entry) error) error {
	found := map[uint64]Entry{}
	for _, w := range wide {
		if err := b.collect(ctx, s.Stream, w, found); err != nil {
			return fmt.Errorf("stream %s: %w", s.Stream, err)
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(found)) {
		e := found[seq]
		if seq < s.From || seq > last || e.Time.Before(s.Since) {
			continue
		}
		if s.HeadersOnly {
			e.Body = nil
		}
		if err := take(e); err != nil {
			return err
		}
	}
	return nil
}

// collect adds the messages under the filter, of any shop where it names none.
func (b *Bus) collect(ctx context.Context, stream, wide string, found map[uint64]Entry) error {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return err
	}
	ones := map[string]bool{wide: true}
	if t := strings.Split(wide, "."); t[shopOf(t[0])] == "*" {
		subjects, err := subjectsOf(ctx, s, wide)
		if err != nil {
			return err
		}
		clear(ones)
		for subject := range subjects {
			t[shopOf(t[0])] = strings.Split(subject, ".")[shopOf(t[0])]
			ones[strings.Join(t, ".")] = true
		}
	}
	for filter := range ones {
		c := &collector{bus: b, stream: stream, filter: filtersOf([]string{filter}), found: map[uint64]Entry{}}
		if err := c.collect(ctx, s, filter); err != nil {
			return err
		}
		maps.Copy(found, c.found)
	}
	return nil
}

// collector finds the messages of one invoice, order, period or parked message with requests that the broker answers from its index of
// subjects. It never asks for "the next match after": to answer that the broker reads block after block up to
// the match, or to the end of the stream, and publishers wait meanwhile.
type collector struct {
	bus    *Bus
	stream string
	filter filters
	found  map[uint64]Entry
}

// collect finds all of them: nearly always by the links that [Bus.Update] leaves in the headers, else by the first and last
// of each subject, else by reading all that lies between.
func (c *collector) collect(ctx context.Context, s jetstream.Stream, filter string) error {
	if err := c.lastOf(ctx, s, filter); err != nil || len(c.found) == 0 {
		return err
	}
	counts, err := subjectsOf(ctx, s, filter)
	if err != nil || c.complete(counts) {
		return err
	}
	for subject := range counts {
		first, err := messageAt(ctx, s, 1, jetstream.WithGetMsgSubject(subject))
		if err == nil {
			err = c.follow(ctx, s, first)
		}
		if err == nil {
			err = c.lastOf(ctx, s, subject)
		}
		if err != nil {
			return err
		}
	}
	if counts, err = subjectsOf(ctx, s, filter); err != nil || c.complete(counts) {
		return err
	}
	seqs := slices.Sorted(maps.Keys(c.found))
	between := Scan{Stream: c.stream, From: seqs[0], To: seqs[len(seqs)-1]}
	return c.bus.scanAll(ctx, between, between.To, func(e Entry) error {
		if c.filter.match(e.Subject) {
			c.found[e.Seq] = e
		}
		return nil
	})
}

func (c *collector) complete(counts map[string]uint64) bool {
	all := uint64(0)
	for _, n := range counts {
		all += n
	}
	return uint64(len(c.found)) >= all
}

// lastOf takes the last message under the filter and those that it leads to.
func (c *collector) lastOf(ctx context.Context, s jetstream.Stream, filter string) error {
	m, err := c.bus.last(ctx, c.stream, filter)
	if err != nil {
		return err
	}
	return c.follow(ctx, s, m)
}

// follow takes the message, the one that its writer had loaded, and so on back to the first.
func (c *collector) follow(ctx context.Context, s jetstream.Stream, m *jetstream.RawStreamMsg) error {
	for m != nil && c.filter.match(m.Subject) {
		if _, known := c.found[m.Sequence]; known {
			return nil
		}
		c.found[m.Sequence] = entryOf(c.stream, m)
		before, err := strconv.ParseUint(m.Header.Get(jetstream.ExpectedLastSubjSeqHeader), 10, 64)
		if err != nil || before == 0 || before >= m.Sequence {
			return nil
		}
		if m, err = messageAt(ctx, s, before); err != nil {
			return err
		}
	}
	return nil
}

// subjectsOf gives the subjects that the filter matches, and how many messages each has.
func subjectsOf(ctx context.Context, s jetstream.Stream, filter string) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	return info.State.Subjects, nil
}

// byTime orders entries of several streams.
func byTime(a, b Entry) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Seq, b.Seq))
}
