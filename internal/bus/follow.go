package bus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// Source is a stream to follow. Without Seq, Since and All it is followed from now on.
type Source struct {
	Stream  string
	Filters []string  // subjects; none is all
	Seq     uint64    // begins with this sequence
	Since   time.Time // leaves out what was stored before
	All     bool      // begins with the first message
}

// ErrStop is what the take of [Bus.Follow] returns when it needs no more messages.
var ErrStop = errors.New("enough")

// Follow gives every message of the sources to take, one at a time and those of each stream in its order, until ctx ends or take
// returns an error. It returns nil when ctx has ended or the error is ErrStop. The messages that are there when it begins are given
// in the order of time over all sources, and are read as [Bus.Scan] does. ready, which may be nil, is called once no message that
// is published from then on can be missed. A consumer that is lost with its broker is replaced; no message is given twice.
func (b *Bus) Follow(ctx context.Context, sources []Source, ready func(), take func(Entry) error) error {
	err := b.follow(ctx, sources, ready, take)
	if errors.Is(err, ErrStop) || ctx.Err() != nil {
		return nil
	}
	return err
}

func (b *Bus) follow(ctx context.Context, sources []Source, ready func(), take func(Entry) error) error {
	var followers []*follower
	var history []Scan
	for _, s := range sources {
		last, err := b.LastSeq(ctx, s.Stream)
		if err != nil {
			return err
		}
		followers = append(followers, &follower{bus: b, source: s, next: max(s.Seq, last+1)})
		if last >= max(s.Seq, 1) && (s.Seq > 0 || s.All || !s.Since.IsZero()) {
			history = append(history, Scan{Stream: s.Stream, Filters: s.Filters, From: s.Seq, Since: s.Since, To: last})
		}
	}
	if ready != nil {
		ready()
	}
	if err := b.merge(ctx, history, take); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	var taking sync.Mutex
	for _, f := range followers {
		f.take = func(e Entry) error {
			taking.Lock()
			defer taking.Unlock()
			if gctx.Err() != nil {
				return gctx.Err()
			}
			return take(e)
		}
		g.Go(func() error { return f.run(gctx) })
	}
	return g.Wait()
}

// merge gives the messages of several scans in the order of time.
func (b *Bus) merge(ctx context.Context, scans []Scan, take func(Entry) error) error {
	var heads []Entry
	var rest []func() (Entry, error, bool)
	for _, s := range scans {
		next, stop := iter.Pull2(b.entries(ctx, s))
		defer stop()
		heads, rest = append(heads, Entry{}), append(rest, next)
	}
	advance := func(i int) error {
		e, err, more := rest[i]()
		if heads[i] = e; !more {
			heads, rest = slices.Delete(heads, i, i+1), slices.Delete(rest, i, i+1)
		}
		return err
	}
	for i := range slices.Backward(scans) {
		if err := advance(i); err != nil {
			return err
		}
	}
	for len(heads) > 0 {
		i := slices.IndexFunc(heads, func(e Entry) bool { return byTime(e, slices.MinFunc(heads, byTime)) == 0 })
		if err := take(heads[i]); err != nil {
			return err
		}
		if err := advance(i); err != nil {
			return err
		}
	}
	return nil
}

// entries gives the messages of a scan, and at the end the error that it ended with, if it did.
func (b *Bus) entries(ctx context.Context, s Scan) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		_, err := b.Scan(ctx, s, func(e Entry) error {
			if !yield(e, nil) {
				return ErrStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrStop) {
			yield(Entry{}, err)
		}
	}
}

// quiet is how long a follower waits for a message before it asks whether there is one: its consumer may be lost with a broker.
const quiet = 2 * time.Second

// follower gives what is new in a source, and goes on where it was when its consumer is gone.
type follower struct {
	bus    *Bus
	source Source
	next   uint64 // messages before this sequence were given, or are not asked for
	take   func(Entry) error
	ended  error // of take
}

func (f *follower) run(ctx context.Context) error {
	for ctx.Err() == nil && f.ended == nil {
		if err := f.live(ctx); err != nil && f.ended == nil {
			f.bus.log.Debug().Err(err).Str("stream", f.source.Stream).Uint64("from", f.next).Msg("following goes on")
			pause(ctx, quiet/4)
		}
	}
	return f.ended
}

// live gives what is new until its consumer is gone. The consumer is made first and begins with the next message that will be
// stored, so that the broker has to search for nothing; then the messages since next are scanned.
func (f *follower) live(ctx context.Context) error {
	stream, err := f.bus.stream(ctx, f.source.Stream)
	if err != nil {
		return err
	}
	setup, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	cons, err := stream.CreateConsumer(setup, jetstream.ConsumerConfig{
		FilterSubjects: f.source.Filters, DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: scanForgotten,
	})
	if err != nil {
		return err
	}
	defer f.bus.forget(ctx, stream, cons.CachedInfo())
	last, err := f.bus.LastSeq(ctx, f.source.Stream)
	if err != nil {
		return err
	}
	if begins := cons.CachedInfo().Delivered.Stream; begins > last {
		return fmt.Errorf("the consumer begins after %d, and the stream's leader has only %d yet", begins, last)
	}
	if last >= f.next {
		s := Scan{Stream: f.source.Stream, Filters: f.source.Filters, From: f.next, To: last}
		if _, err := f.bus.Scan(ctx, s, f.pass); err != nil {
			return err
		}
		f.next = last + 1
	}
	it, err := cons.Messages()
	if err != nil {
		return err
	}
	defer it.Stop()
	return f.receive(ctx, cons, it)
}

// pass gives a message on, unless that was done.
func (f *follower) pass(e Entry) error {
	if e.Seq < f.next {
		return nil
	}
	if f.ended = f.take(e); f.ended == nil {
		f.next = e.Seq + 1
	}
	return f.ended
}

// receive gives what the consumer delivers, until a message is missing.
func (f *follower) receive(ctx context.Context, cons jetstream.Consumer, it jetstream.MessagesContext) error {
	for delivered := uint64(0); ; {
		m, err := next(ctx, it, quiet)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, context.DeadlineExceeded) {
			if err := checkComplete(ctx, cons, delivered); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		e, meta, err := entryOfDelivery(m)
		if err != nil {
			return err
		}
		if delivered++; meta.Sequence.Consumer != delivered {
			return fmt.Errorf("delivery %d came after %d", meta.Sequence.Consumer, delivered-1)
		}
		if err := f.pass(e); err != nil {
			return err
		}
	}
}

// checkComplete gives an error when the consumer is gone, or has more than what came here.
func checkComplete(ctx context.Context, cons jetstream.Consumer, delivered uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := cons.Info(ctx)
	if err != nil {
		return err
	}
	if info.NumPending > 0 || info.Delivered.Consumer > delivered {
		return fmt.Errorf("%d messages did not come", info.NumPending+info.Delivered.Consumer-delivered)
	}
	return nil
}
