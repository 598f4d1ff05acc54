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

// errDenied says that the broker's permissions do not allow what was asked.
var errDenied = errors.New("the broker's permissions do not allow it")

// IsDenied says that an error is of a right that this process's key lacks.
func IsDenied(err error) bool { return errors.Is(err, errDenied) }

// violation is the last thing that the broker did not allow.
type violation struct {
	what string
	at   time.Time
}

// noteViolation remembers what the broker refused: it answers the request itself with silence.
func (b *Bus) noteViolation(err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	what := strings.TrimSpace(err.Error())
	b.violation.Store(&violation{what, time.Now()})
	b.publishing.Range(func(_, p any) bool {
		if one := p.(*publishing); strings.Contains(what, `"`+one.subject+`"`) {
			one.refuse()
		}
		return true
	})
}

// publishing is a publish that waits for its acknowledgement.
type publishing struct {
	subject string
	refuse  context.CancelFunc
}

// whileAllowed gives a context that ends when the broker refuses a publish to the subject: it sends no other answer.
func (b *Bus) whileAllowed(ctx context.Context, subject string) (_ context.Context, refused func() bool, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	var was atomic.Bool
	p := &publishing{subject, func() { was.Store(true); cancel() }}
	b.publishing.Store(p, p)
	return ctx, was.Load, func() { b.publishing.Delete(p); cancel() }
}

// denied explains a request that was not answered by the permission that it lacks.
func (b *Bus) denied(err error) error {
	v := b.violation.Load()
	if err == nil || v == nil || isAPIError(err) || time.Since(v.at) > 2*requestTimeout {
		return err
	}
	return fmt.Errorf("%w: %s", errDenied, v.what)
}
