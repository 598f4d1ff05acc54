package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrNoMessage says that a stream has no message of that sequence.
var ErrNoMessage = errors.New("there is no such message")

// MessageAt gives the message of a stream by its sequence. The error is ErrNoMessage when there is none.
func (b *Bus) MessageAt(ctx context.Context, stream string, seq uint64) (Entry, error) {
	e, err := b.messageAt(ctx, stream, seq)
	if err == nil && e.Seq == 0 {
		err = ErrNoMessage
	}
	if err != nil {
		return Entry{}, fmt.Errorf("message %d of %s: %w", seq, stream, err)
	}
	return e, nil
}

// messageAt gives the message, or with an option for it the first of a subject from the sequence on; its Seq is 0 when there is none.
func (b *Bus) messageAt(ctx context.Context, stream string, seq uint64, opts ...jetstream.GetMsgOpt) (Entry, error) {
	return b.ask(ctx, stream, func(ctx context.Context, s jetstream.Stream) (*jetstream.RawStreamMsg, error) {
		return s.GetMsg(ctx, seq, opts...)
	})
}

// last gives the last message under the filter; its Seq is 0 when there is none.
func (b *Bus) last(ctx context.Context, stream, filter string) (Entry, error) {
	return b.ask(ctx, stream, func(ctx context.Context, s jetstream.Stream) (*jetstream.RawStreamMsg, error) {
		return s.GetLastMsgForSubject(ctx, filter)
	})
}

// ask makes one request for a message.
func (b *Bus) ask(ctx context.Context, stream string, request func(context.Context, jetstream.Stream) (*jetstream.RawStreamMsg, error)) (Entry, error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return Entry{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := request(ctx, s)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return Entry{}, nil
	case err != nil:
		return Entry{}, err
	}
	return Entry{events.Message{Subject: m.Subject, Header: m.Header, Body: m.Data}, stream, m.Sequence, m.Time}, nil
}

// leaderPause is the pause before a stream is asked again that had no leader.
const leaderPause = 100 * time.Millisecond

// info asks the leader of a stream for its state. While a stream has no leader the other brokers answer too, each by what it has stored
// itself: that may be less than was acknowledged, so no such answer counts.
func (b *Bus) info(ctx context.Context, stream string, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		info, err := s.Info(ctx, opts...)
		switch {
		case err != nil:
			return nil, fmt.Errorf("stream %s: %w", stream, explain(err))
		case isLeaders(info.Cluster):
			return info, nil
		case !pause(ctx, leaderPause):
			return nil, fmt.Errorf("stream %s: %w", stream, errNoLeader)
		}
	}
}

// errNoLeader says that a stream or consumer had no leader that answers.
var errNoLeader = errors.New("it has no leader at this moment")

// isLeaders says whether the leader of a stream or consumer has given the answer: it names itself, and only the others as replicas.
func isLeaders(c *jetstream.ClusterInfo) bool {
	return c == nil || c.Leader != "" && !slices.ContainsFunc(c.Replicas, func(r *jetstream.PeerInfo) bool { return r.Name == c.Leader })
}

// subjectsOf gives the subjects that the filter matches, and how many messages each has.
func (b *Bus) subjectsOf(ctx context.Context, stream, filter string) (map[string]uint64, error) {
	info, err := b.info(ctx, stream, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	return info.State.Subjects, nil
}

// LastSeq gives the sequence of the last message of a stream, 0 when there was never one.
func (b *Bus) LastSeq(ctx context.Context, stream string) (uint64, error) {
	info, err := b.info(ctx, stream)
	if err != nil {
		return 0, err
	}
	return info.State.LastSeq, nil
}

// few gives the messages of one subject, oldest first, by requests that every worker may make.
func (b *Bus) few(ctx context.Context, stream, subject string) (out []Entry, err error) {
	_, err = b.Scan(ctx, Scan{Stream: stream, Filters: []string{subject}, ByRequest: true}, func(e Entry) error {
		out = append(out, e)
		return nil
	})
	return out, err
}

// scanFew is Scan for filters that match few messages.
func (b *Bus) scanFew(ctx context.Context, s Scan, wide []string, last uint64, take func(Entry) error) error {
	found := map[uint64]Entry{}
	for _, filter := range wide {
		ones, err := b.ofEachShop(ctx, s.Stream, filter)
		for _, one := range ones {
			if err == nil {
				c := &collector{bus: b, stream: s.Stream, byRequest: s.ByRequest, filter: filtersOf([]string{one}), found: map[uint64]Entry{}}
				err = c.collect(ctx, one)
				maps.Copy(found, c.found)
			}
		}
		if err != nil {
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

// ofEachShop gives, for a filter that names no shop, that filter for each shop that has messages under it; for another, itself.
func (b *Bus) ofEachShop(ctx context.Context, stream, filter string) ([]string, error) {
	t := strings.Split(filter, ".")
	at := shopOf(t[0])
	if t[at] != "*" {
		return []string{filter}, nil
	}
	subjects, err := b.subjectsOf(ctx, stream, filter)
	shops := map[string]bool{}
	for subject := range subjects {
		t[at] = token(subject, at)
		shops[strings.Join(t, ".")] = true
	}
	return slices.Collect(maps.Keys(shops)), err
}

// collector finds the messages under one filter with requests that the broker answers from its index of subjects. Unless it may make
// no consumer, it never asks for "the next match after": to answer that, the broker reads block after block up to the match, and
// publishers wait meanwhile.
type collector struct {
	bus       *Bus
	stream    string
	byRequest bool
	filter    filters
	found     map[uint64]Entry
}

// collect finds all of them: nearly always by the links that [Bus.Update] leaves in the headers, else by the first and last of each
// subject, else by reading what lies between these.
func (c *collector) collect(ctx context.Context, filter string) error {
	if err := c.lastOf(ctx, filter); err != nil || len(c.found) == 0 {
		return err
	}
	counts, err := c.bus.subjectsOf(ctx, c.stream, filter)
	if err != nil || c.complete(counts) {
		return err
	}
	for subject := range counts {
		first, err := c.next(ctx, subject, 1)
		if err == nil {
			err = c.follow(ctx, first)
		}
		if err == nil {
			err = c.lastOf(ctx, subject)
		}
		if err != nil {
			return err
		}
	}
	if counts, err = c.bus.subjectsOf(ctx, c.stream, filter); err != nil || c.complete(counts) {
		return err
	}
	if c.byRequest {
		return c.walk(ctx)
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

// complete says whether as many messages were found as the subjects have.
func (c *collector) complete(counts map[string]uint64) bool {
	all := uint64(0)
	for _, n := range counts {
		all += n
	}
	return uint64(len(c.found)) >= all
}

// next gives the first message on the subject from the sequence on.
func (c *collector) next(ctx context.Context, subject string, seq uint64) (Entry, error) {
	return c.bus.messageAt(ctx, c.stream, seq, jetstream.WithGetMsgSubject(subject))
}

// walk takes the messages of each subject, one after another, up to the last that is known.
func (c *collector) walk(ctx context.Context) error {
	last := map[string]uint64{}
	for _, e := range c.found {
		last[e.Subject] = max(last[e.Subject], e.Seq)
	}
	for subject, end := range last {
		for seq := uint64(1); seq < end; {
			e, err := c.next(ctx, subject, seq)
			if err != nil {
				return err
			}
			if e.Seq == 0 {
				break
			}
			c.found[e.Seq] = e
			seq = e.Seq + 1
		}
	}
	return nil
}

// lastOf takes the last message under the filter and those that it leads to.
func (c *collector) lastOf(ctx context.Context, filter string) error {
	e, err := c.bus.last(ctx, c.stream, filter)
	if err != nil {
		return err
	}
	return c.follow(ctx, e)
}

// follow takes the message, then the message that its writer had loaded, and so on back to the first.
func (c *collector) follow(ctx context.Context, e Entry) error {
	for e.Seq > 0 && c.filter.match(e.Subject) {
		if _, known := c.found[e.Seq]; known {
			return nil
		}
		c.found[e.Seq] = e
		before := e.Previous()
		if before == 0 || before >= e.Seq {
			return nil
		}
		var err error
		if e, err = c.bus.messageAt(ctx, c.stream, before); err != nil {
			return err
		}
	}
	return nil
}

// byTime compares entries of several streams by the time when they were stored.
func byTime(a, b Entry) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Seq, b.Seq))
}
