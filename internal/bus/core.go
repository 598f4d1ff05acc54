package bus

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Subjects outside of JetStream, which no stream keeps. A message on them may be lost.
const (
	HintSubjects   = "hints.*.*"  // [Bus.Hint]
	IssuedSubjects = "issued.*.*" // [Bus.HintIssued]
)

// Publish sends a message on a subject that no stream keeps. It may be lost.
func (b *Bus) Publish(subject string, body []byte) error { return b.nc.Publish(subject, body) }

// Subscribe gives every message on the subjects to take, one at a time, until ctx ends. Messages that have come and were not given to take
// by then are dropped.
func (b *Bus) Subscribe(ctx context.Context, subjects string, take func(subject string, body []byte)) error {
	sub, err := b.nc.Subscribe(subjects, func(m *nats.Msg) { take(m.Subject, m.Data) })
	if err == nil {
		context.AfterFunc(ctx, func() { _ = sub.Unsubscribe() })
	}
	return err
}

// Hint asks for a poll of the invoice now. It may be lost.
func (b *Bus) Hint(k events.Key) error { return b.Publish(k.Hint(), nil) }

// HintIssued tells that the invoice was recorded just now and can be polled. Its subject is another than that of Hint: no process
// that is reached from outside may publish on it. It may be lost.
func (b *Bus) HintIssued(k events.Key) error { return b.Publish(k.IssuedHint(), nil) }

// Hints gives the invoices of Hint to hint, and those of HintIssued to issued, until ctx ends.
func (b *Bus) Hints(ctx context.Context, hint, issued func(events.Key)) error {
	for subjects, take := range map[string]func(events.Key){HintSubjects: hint, IssuedSubjects: issued} {
		err := b.Subscribe(ctx, subjects, func(subject string, _ []byte) {
			if a, err := events.ParseSubject(subject + ".now"); err == nil {
				take(a.Key())
			}
		})
		if err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}
