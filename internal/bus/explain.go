package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// explain adds to an error of the broker, also to one that is wrapped, what it means and how to mend it, where that is known.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errDenied):
		return fmt.Errorf("this process's key does not have the right; \"seqrflow broker config\" writes who has which: %w", err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("the broker lets this account use no JetStream; allow it in its configuration: %w", err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("the broker has no JetStream; start it with -js: %w", err)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("no worker has run on this broker yet; make the streams with: seqrflow broker apply: %w", err)
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return fmt.Errorf("the consumer is not there; make it with: seqrflow broker apply: %w", err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return fmt.Errorf("the broker refused the credentials: %w", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("the broker did not answer in time: %w", err)
	}
	return err
}
