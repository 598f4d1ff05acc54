package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// duplicates is how long the broker remembers an event's id: long enough for every retry of a publish.
const duplicates = 2 * time.Minute

// Streams that seqrflow keeps, on this many replicas. Nothing in them ages or is deleted.
func Streams(replicas int) []jetstream.StreamConfig {
	stream := func(name, subjects, about string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Description: about, Subjects: []string{subjects}, Storage: jetstream.FileStorage,
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, DenyDelete: true,
			Duplicates: duplicates, Replicas: replicas, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1,
			AllowDirect: replicas == 1, // a follower may lag, and a decision must not rest on an old state
		}
	}
	return []jetstream.StreamConfig{
		stream(events.OrdersStream, events.OrdersSubjects, "What commerce systems say of their orders"),
		stream(events.InvoicesStream, events.InvoicesSubjects, "The life of every invoice; the last event is the state"),
		stream(events.PeriodsStream, events.PeriodsSubjects, "Closing and reconciling of periods"),
		stream(events.ParkedStream, events.ParkedSubjects, "What a worker could not handle, with the reason"),
	}
}

// EnsureStreams creates the streams or brings their settings up to date. It never takes replicas away: a process
// that was not told of them would do so to all others.
func (b *Bus) EnsureStreams(ctx context.Context) error {
	for _, cfg := range Streams(b.cfg.Replicas) {
		for {
			once, cancel := context.WithTimeout(ctx, requestTimeout) // a cluster without a leader does not answer at all
			s, err := b.ensure(once, cfg)
			cancel()
			if err == nil {
				b.mu.Lock()
				b.streams[cfg.Name] = s
				b.mu.Unlock()
				break
			}
			if !transient(err) || !pause(ctx, reconnectWait) {
				return fmt.Errorf("stream %s: %w", cfg.Name, err)
			}
		}
	}
	return nil
}

func (b *Bus) ensure(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	switch s, err := b.js.Stream(ctx, cfg.Name); {
	case errors.Is(err, jetstream.ErrStreamNotFound):
	case err != nil:
		return nil, err
	case s.CachedInfo().Config.Replicas > cfg.Replicas:
		have := s.CachedInfo().Config.Replicas
		b.log.Warn().Str("stream", cfg.Name).Int("replicas", have).Int("setting", cfg.Replicas).
			Msg("the stream has more replicas than the settings of this process say; it keeps them")
		cfg.Replicas, cfg.AllowDirect = have, false
	}
	return b.js.CreateOrUpdateStream(ctx, cfg)
}

// transient errors pass by themselves: the broker starts, restarts or elects a leader.
func transient(err error) bool {
	return !errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) && !isAPIError(err) || isCode(err, 503)
}

func isAPIError(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api)
}

func isCode(err error, code int) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code == code
}

func (b *Bus) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	b.mu.Lock()
	s := b.streams[name]
	b.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	b.mu.Lock()
	b.streams[name] = s
	b.mu.Unlock()
	return s, nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
