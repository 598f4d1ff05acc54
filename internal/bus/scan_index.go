package bus

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

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
		before, err := strconv.ParseUint(nats.Header(e.Header).Get(jetstream.ExpectedLastSubjSeqHeader), 10, 64)
		if err != nil || before == 0 || before >= e.Seq {
			return nil
		}
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
