package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

const (
	// duplicates is how long the broker remembers our events' ids: long enough for every retry of a publish.
	duplicates = 2 * time.Minute
	// orderDuplicates is the least that the broker takes. The id of a message on ORDERS is what a shop writes, perhaps an id that
	// another shop has used a minute ago; the workers see by themselves that an order comes twice.
	orderDuplicates = 100 * time.Millisecond
	// deliveriesKept is how long attempts to tell shops' systems are kept.
	deliveriesKept = 30 * 24 * time.Hour
)

// StoredPrefix stands before the subject on which the broker publishes an event once more that INVOICES has stored: so other accounts
// of the server, such as a shop's, can hear it.
const StoredPrefix = "stored."

// Streams gives the settings of the streams that seqrflow keeps, with this many replicas each. Nothing in them ages or is deleted, but
// on OPEN, from which an invoice is removed when it has ended, on DELIVERIES, which are kept for 30 days, and on PROBES and CURSORS, which
// keep the last message of each subject.
func Streams(replicas int) []jetstream.StreamConfig {
	stream := func(name, subjects, about string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Description: about, Subjects: []string{subjects}, Storage: jetstream.FileStorage,
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, DenyDelete: true, DenyPurge: true,
			Duplicates: duplicates, Replicas: replicas, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1,
			AllowDirect: replicas == 1, // a follower may lag, and a decision must not rest on an old state
		}
	}
	orders := stream(events.OrdersStream, events.OrdersSubjects, "What commerce systems say of their orders")
	orders.Duplicates = orderDuplicates
	open := stream(events.OpenStream, events.OpenSubjects, "The index of open invoices: one message for each, until it has ended")
	open.Retention, open.DenyDelete, open.DenyPurge, open.MaxMsgsPerSubject, open.DiscardNewPerSubject = jetstream.WorkQueuePolicy, false, false, 1, true
	invoices := stream(events.InvoicesStream, events.InvoicesSubjects, "The life of every invoice; the last event is the state")
	invoices.RePublish = &jetstream.RePublish{Source: "invoices.>", Destination: StoredPrefix + "invoices.>"}
	probes := stream(events.ProbesStream, events.ProbesSubjects, "Whether the broker takes what is written; nobody reads it")
	probes.Discard, probes.DenyDelete, probes.DenyPurge, probes.MaxMsgsPerSubject, probes.MaxAge = jetstream.DiscardOld, false, false, 1, time.Hour
	deliveries := stream(events.DeliveriesStream, events.DeliveriesSubjects, "Attempts to tell shops' systems what happened to their invoices")
	deliveries.MaxAge = deliveriesKept
	cursors := stream(events.CursorsStream, events.CursorsSubjects, "How far the gateway has read the orders of shops' systems")
	cursors.Discard, cursors.DenyDelete, cursors.DenyPurge, cursors.MaxMsgsPerSubject = jetstream.DiscardOld, false, false, 1
	return []jetstream.StreamConfig{
		orders,
		invoices,
		stream(events.PeriodsStream, events.PeriodsSubjects, "Closing and reconciling of periods"),
		stream(events.ParkedStream, events.ParkedSubjects, "What a worker could not handle, with the reason"),
		stream(events.HooksStream, events.HooksSubjects, "Requests of shops' systems that the gateway could not translate"),
		open,
		probes,
		deliveries,
		cursors,
	}
}

// own gives the settings that a stream has, with those from want that are ours to decide: which messages the stream takes, and that
// none of them is removed. Limits, age, replicas and the like are the operator's.
func own(have, want jetstream.StreamConfig) jetstream.StreamConfig {
	have.Subjects, have.Retention, have.Discard = want.Subjects, want.Retention, want.Discard
	have.Duplicates, have.DiscardNewPerSubject = want.Duplicates, want.DiscardNewPerSubject
	have.RePublish = want.RePublish
	have.DenyDelete, have.DenyPurge = have.DenyDelete || want.DenyDelete, have.DenyPurge || want.DenyPurge
	if have.Replicas > 1 {
		have.AllowDirect = false
	}
	if have.MaxAge > 0 {
		have.Duplicates = min(have.Duplicates, have.MaxAge)
	}
	return have
}

// streamPlan is what EnsureStreams has to do with a stream.
type streamPlan struct {
	want    jetstream.StreamConfig // as it is to be
	stream  jetstream.Stream
	have    *jetstream.StreamInfo // as it is; nil when it is missing
	changed bool                  // settings of ours differ
}

func (b *Bus) plan(ctx context.Context, cfg jetstream.StreamConfig) (streamPlan, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout) // a cluster without a leader does not answer at all
	defer cancel()
	s, err := b.js.Stream(ctx, cfg.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return streamPlan{want: cfg}, nil
	}
	if err != nil {
		return streamPlan{}, err
	}
	have := s.CachedInfo()
	want := own(have.Config, cfg)
	return streamPlan{want: want, stream: s, have: have, changed: !reflect.DeepEqual(have.Config, want)}, nil
}

// EnsureStreams makes the streams that are missing, and corrects those settings of the others that are ours to decide. If the index of
// open invoices was never built it is built from INVOICES. A broker that does not answer is waited for until ctx ends.
func (b *Bus) EnsureStreams(ctx context.Context) error {
	for _, cfg := range Streams(b.cfg.Replicas) {
		var s jetstream.Stream
		err := b.patiently(ctx, "stream "+cfg.Name, func(ctx context.Context) (err error) {
			s, err = b.ensure(ctx, cfg)
			return err
		})
		if err != nil {
			return err
		}
		b.keep(cfg.Name, s)
		for cfg.Name == events.OpenStream {
			err := b.ensureIndex(ctx, s)
			if err == nil {
				break
			}
			if !transient(err) || !pause(ctx, reconnectWait) {
				return fmt.Errorf("stream %s: %w", cfg.Name, b.denied(err))
			}
		}
	}
	return nil
}

func (b *Bus) ensure(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	p, err := b.plan(ctx, cfg)
	if err != nil || p.have != nil && !p.changed {
		return p.stream, err
	}
	once, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if p.changed {
		return b.js.UpdateStream(once, p.want)
	}
	s, err := b.js.CreateStream(once, p.want)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		s, err = b.js.Stream(once, cfg.Name)
	}
	return s, err
}

// EnsureExtraStream makes a stream that is none of [Streams], with the replicas of those, unless it is there.
func (b *Bus) EnsureExtraStream(ctx context.Context, cfg jetstream.StreamConfig) (made bool, err error) {
	cfg.Replicas = b.cfg.Replicas
	_, err = b.js.CreateStream(ctx, cfg)
	switch {
	case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("stream %s: %w", cfg.Name, err)
	}
	return true, nil
}

// mark writes a value into the metadata of a stream.
func (b *Bus) mark(ctx context.Context, cfg jetstream.StreamConfig, key, value string) error {
	cfg.Metadata = maps.Clone(cfg.Metadata)
	if cfg.Metadata == nil {
		cfg.Metadata = map[string]string{}
	}
	cfg.Metadata[key] = value
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := b.js.UpdateStream(ctx, cfg)
	return err
}

// EnsureConsumers makes the durables that are missing, and corrects the settings of the others. A broker that does not answer is waited
// for until ctx ends.
func (b *Bus) EnsureConsumers(ctx context.Context, all []Consumer) error {
	return b.eachDurable(ctx, all, b.ensureConsumer)
}

// transient says whether an error passes by itself: the broker starts, restarts or elects a leader (503), or failed at what it
// was asked for, as it does while it still removes a consumer of that name (500).
func transient(err error) bool {
	if errors.Is(err, errDenied) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return false
	}
	return slices.Contains([]int{0, 500, 503}, brokersAnswer(err).Code)
}

// brokersAnswer gives what the broker has answered; it is zero when the error is no answer of it.
func brokersAnswer(err error) (a jetstream.APIError) {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		a = *api
	}
	return a
}

// keep remembers a stream that was found.
func (b *Bus) keep(name string, s jetstream.Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams[name] = s
}

// stream gives a stream, which is asked for only the first time.
func (b *Bus) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	b.mu.Lock()
	s := b.streams[name]
	b.mu.Unlock()
	if s != nil {
		return s, nil
	}
	allowed, _, done := b.whileAllowed(ctx, "$JS.API.STREAM.INFO."+name)
	defer done()
	s, err := b.js.Stream(allowed, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, explain(b.denied(err)))
	}
	b.keep(name, s)
	return s, nil
}

// pause waits; false means that ctx ended first.
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
