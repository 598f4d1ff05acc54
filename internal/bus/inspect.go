package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// IsMissing says whether an error is that a stream or a consumer is not there: no worker has run on this broker yet, or it was
// removed.
func IsMissing(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound)
}

// Account is how much of the broker's storage the account of this connection uses, in bytes.
type Account struct {
	Used  uint64
	Limit int64 // 0 or less is none
}

// Account asks the broker how much storage the account uses. A user who may not ask gets no answer until ctx ends.
func (b *Bus) Account(ctx context.Context) (Account, error) {
	info, err := b.js.AccountInfo(ctx)
	if err != nil {
		return Account{}, err
	}
	return Account{info.Store, info.Limits.MaxStore}, nil
}

// StreamState is what the broker says of one of [Streams], and how that differs from what it is to be.
type StreamState struct {
	Name        string
	Missing     bool     // it is not there: EnsureStreams makes it
	Changes     bool     // EnsureStreams changes some of its settings
	Differences []string // settings that are not as seqrflow makes them, such as "max age is 1h0m0s, not 0s"

	Messages, Bytes       uint64
	MaxMessages, MaxBytes int64         // an operator's limits; 0 or less is none
	MaxAge                time.Duration // an operator's limit; 0 is none
	Replicas              int
	Time                  time.Time // the broker's clock when it answered
}

// StreamState asks the broker for one of [Streams]. It changes nothing. That the stream is not there is no error.
func (b *Bus) StreamState(ctx context.Context, name string) (StreamState, error) {
	st := StreamState{Name: name}
	for _, want := range Streams(b.cfg.Replicas) {
		if want.Name != name {
			continue
		}
		p, err := b.plan(ctx, want)
		if st.Missing = err == nil && p.have == nil; err != nil || st.Missing {
			return st, b.denied(err)
		}
		have := p.have.Config
		st.Changes, st.Differences = p.changed, differences(want, have)
		st.Messages, st.Bytes, st.Replicas, st.Time = p.have.State.Msgs, p.have.State.Bytes, have.Replicas, p.have.TimeStamp
		st.MaxMessages, st.MaxBytes, st.MaxAge = have.MaxMsgs, have.MaxBytes, have.MaxAge
		return st, nil
	}
	return st, fmt.Errorf("%s is no stream of seqrflow's", name)
}

// differences names the settings of a stream that are not as wanted, also those of an operator by which messages are removed.
func differences(want, got jetstream.StreamConfig) []string {
	var out []string
	for _, d := range []struct {
		name      string
		want, got any
	}{
		{"subjects", want.Subjects, got.Subjects}, {"storage", want.Storage, got.Storage}, {"retention", want.Retention, got.Retention},
		{"discard", want.Discard, got.Discard}, {"deny delete", want.DenyDelete, got.DenyDelete}, {"deny purge", want.DenyPurge, got.DenyPurge},
		{"max age", want.MaxAge, got.MaxAge}, {"duplicates", want.Duplicates, got.Duplicates}, {"replicas", want.Replicas, got.Replicas},
		{"max per subject", want.MaxMsgsPerSubject, got.MaxMsgsPerSubject}, {"direct get", want.AllowDirect, got.AllowDirect},
	} {
		if !reflect.DeepEqual(d.want, d.got) {
			out = append(out, fmt.Sprintf("%s is %v, not %v", d.name, d.got, d.want))
		}
	}
	return out
}

// ConsumerState is how far the copies of a worker have come with one of its consumers.
type ConsumerState struct {
	Name    string
	Asking  int    // requests for messages that wait at the broker; 0 means that no copy runs
	Waiting uint64 // messages that were not delivered yet, or are not acknowledged
	Floor   uint64 // sequence up to which everything is acknowledged, or was before the durable
}

// ConsumerState asks the broker for a consumer. [IsMissing] tells the error of one that is not there.
func (b *Bus) ConsumerState(ctx context.Context, c Consumer) (ConsumerState, error) {
	cons, err := b.js.Consumer(ctx, c.Stream, c.Name)
	if err != nil {
		return ConsumerState{}, err
	}
	if !isLeaders(cons.CachedInfo().Cluster) {
		return ConsumerState{}, fmt.Errorf("consumer %s of %s: %w", c.Name, c.Stream, errNoLeader)
	}
	return consumerState(cons.CachedInfo()), nil
}

func consumerState(info *jetstream.ConsumerInfo) ConsumerState {
	return ConsumerState{info.Name, info.NumWaiting, info.NumPending + uint64(info.NumAckPending), info.AckFloor.Stream}
}
