// Package exchanges keeps the calls to the provider as they went over the wire, on the stream EXCHANGES. They are evidence for people:
// nothing is decided by them, some may be missing, and they are removed after 30 days.
package exchanges

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

const (
	// Stream is the stream that holds the exchanges.
	Stream = "EXCHANGES"
	// Kept is how long they are kept.
	Kept = 30 * 24 * time.Hour

	waiting = 1000 // exchanges that may wait for the broker; more are dropped
)

// Exchange is one call, a message on exchanges.<shop>.<invoice>.<operation>, with its secrets masked.
type Exchange struct {
	Operation  string           `json:"operation"`
	At         time.Time        `json:"at"`
	Millis     int64            `json:"ms"`
	Outcome    string           `json:"outcome"`
	Code       *seqr.ResultCode `json:"code,omitempty"`
	HTTPStatus int              `json:"httpStatus,omitempty"`
	Error      string           `json:"error,omitempty"`
	Request    string           `json:"request"`
	Response   string           `json:"response,omitempty"`
}

// Subjects gives the filter of an invoice's exchanges.
func Subjects(k events.Key) string { return "exchanges." + k.Shop + "." + k.Invoice + ".*" }

// Recorder stores exchanges in the background: a slow broker never delays a call. It is safe for concurrent use.
type Recorder struct {
	bus   *bus.Bus
	log   zerolog.Logger
	queue chan seqr.Exchange
	done  chan struct{}

	mu     sync.Mutex
	closed bool // the queue is
}

// EnsureStream makes the stream, unless it is there.
func EnsureStream(ctx context.Context, b *bus.Bus) (made bool, err error) {
	return b.EnsureExtraStream(ctx, jetstream.StreamConfig{
		Name: Stream, Description: "What went over the wire, secrets masked; evidence only", Subjects: []string{"exchanges.*.*.*"},
		Storage: jetstream.FileStorage, MaxAge: Kept,
	})
}

// Start starts a recorder, which Close ends. It makes the stream if this process may; else "seqrflow broker apply" has to make it.
func Start(ctx context.Context, b *bus.Bus, log zerolog.Logger) *Recorder {
	once, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := EnsureStream(once, b); err != nil {
		log.Info().Err(err).Msg("exchanges are recorded if the stream is there")
	}
	r := &Recorder{bus: b, log: log, queue: make(chan seqr.Exchange, waiting), done: make(chan struct{})}
	go r.run()
	return r
}

// Record implements seqr.Recorder. Calls about no invoice, and polls that found that the buyer has not paid yet, are left out.
func (r *Recorder) Record(x seqr.Exchange) {
	if x.About == "" || x.Status == seqr.StatusIssued {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.log.Warn().Str("operation", x.Operation).Str("invoice", x.About).Msg("exchange not recorded: the process ends")
		return
	}
	select {
	case r.queue <- x:
	default:
		r.log.Warn().Str("operation", x.Operation).Str("invoice", x.About).Msg("exchange not recorded: too many wait for the broker")
	}
}

func (r *Recorder) run() {
	defer close(r.done)
	for x := range r.queue {
		if err := r.publish(x); err != nil {
			r.log.Warn().Err(err).Str("operation", x.Operation).Str("invoice", x.About).Msg("exchange not recorded")
		}
	}
}

const patience = 2 * time.Second

func (r *Recorder) publish(x seqr.Exchange) error {
	k, err := events.ParseKey(x.About)
	if err != nil {
		return err
	}
	e := Exchange{
		Operation: x.Operation, At: x.At.UTC(), Millis: x.Duration.Milliseconds(), Outcome: x.Sent.String(), Code: x.Code,
		HTTPStatus: x.HTTPStatus, Error: x.Err, Request: string(x.Request), Response: string(x.Response),
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r.bus.PublishOnce(ctx, "exchanges."+k.Shop+"."+k.Invoice+"."+x.Operation, body)
}

// Close stores the exchanges that wait and ends the recorder. It is called once; a call that ends later is not recorded.
func (r *Recorder) Close() {
	r.mu.Lock()
	r.closed = true
	close(r.queue)
	r.mu.Unlock()
	<-r.done
}

// ErrOff says that the broker keeps no exchanges.
var ErrOff = errors.New("no exchanges are kept: run the workers with --record-exchanges")

// Of gives an invoice's exchanges in the order in which they were stored. The error is ErrOff when none are kept.
func Of(ctx context.Context, b *bus.Bus, k events.Key) ([]Exchange, error) {
	var out []Exchange
	_, err := b.Scan(ctx, bus.Scan{Stream: Stream, Filters: []string{Subjects(k)}}, func(m bus.Entry) error {
		var e Exchange
		if err := json.Unmarshal(m.Body, &e); err != nil {
			return fmt.Errorf("message %d of %s: %w", m.Seq, Stream, err)
		}
		out = append(out, e)
		return nil
	})
	if bus.IsMissing(err) {
		return nil, ErrOff
	}
	return out, err
}
