package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

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
	if err == nil || v == nil || isAPIError(err) || time.Since(v.at) > 2*requestTimeout {
		return err
	}
	return fmt.Errorf("%w: %s", errDenied, v.what)
}
