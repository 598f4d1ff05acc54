package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// explained is an error of the broker with what it means and how to mend it.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text + ": " + e.err.Error() }
func (e *explained) Unwrap() error { return e.err }

// Explain adds to an error of the broker, also to one that is wrapped, what it means and how to mend it, where that is known and is not
// said yet. It says nothing of an error that may also come from something else.
func Explain(err error) error {
	switch {
	case err == nil || errors.As(err, new(*explained)):
		return err
	case errors.Is(err, errDenied):
		return &explained{"the broker does not let this user do that; \"seqrflow broker config\" writes which key has which right, for --nats-nkey", err}
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return &explained{"the broker lets this account use no JetStream; allow it in its configuration", err}
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return &explained{"the broker has no JetStream; start it with -js", err}
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return &explained{"nothing on this broker stores what was published; it has no JetStream or no streams, or a shop's own key is used and no gateway runs", err}
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return &explained{"no worker has run on this broker yet; start one, or make the streams with: seqrflow broker apply", err}
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return &explained{"the consumer is not there; make it with: seqrflow broker apply", err}
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return &explained{"the broker refused the credentials", err}
	case errors.Is(err, nats.ErrTimeout):
		return &explained{tooLate, err}
	}
	return err
}

// explain is Explain of an error that is known to be the broker's, also when the time for a request was over.
func explain(err error) error {
	if err = Explain(err); errors.Is(err, context.DeadlineExceeded) && !errors.As(err, new(*explained)) {
		return &explained{tooLate, err}
	}
	return err
}

const tooLate = "the broker did not answer in time; its log says whether it is starting, or has no leader for its streams"

var errDenied = errors.New("the broker's permissions do not allow it")

// IsDenied says whether an error is that the broker's permissions do not allow this user what was asked.
func IsDenied(err error) bool { return errors.Is(err, errDenied) }

// violation is what the broker did not allow last, in its own words.
type violation struct {
	what string
	at   time.Time
}

// noteViolation remembers a permission violation and ends the publishes that it is about. The broker tells it to the connection; a
// request that it refuses gets no answer.
func (b *Bus) noteViolation(err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	what := strings.TrimSpace(err.Error())
	b.violation.Store(&violation{what, time.Now()})
	b.publishing.Range(func(_, p any) bool {
		if p := p.(*publishing); strings.Contains(what, `"`+p.subject+`"`) {
			p.refuse()
		}
		return true
	})
}

// publishing is a publish that waits for its acknowledgement.
type publishing struct {
	subject string
	refuse  context.CancelFunc
}

// whileAllowed gives a context that ends when the broker refuses a publish to the subject. refused says whether it did; done has to
// be called.
func (b *Bus) whileAllowed(ctx context.Context, subject string) (_ context.Context, refused func() bool, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	var was atomic.Bool
	p := &publishing{subject, func() { was.Store(true); cancel() }}
	b.publishing.Store(p, p)
	return ctx, was.Load, func() { b.publishing.Delete(p); cancel() }
}

// denied gives the error of a request that got no answer, or the permission that this user lacks if the broker has told of one
// just before.
func (b *Bus) denied(err error) error {
	v := b.violation.Load()
	if err == nil || v == nil || brokersAnswer(err).Code != 0 || time.Since(v.at) > 2*requestTimeout {
		return err
	}
	return fmt.Errorf("%w: %s", errDenied, v.what)
}
