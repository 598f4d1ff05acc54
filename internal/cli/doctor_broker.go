package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// maxSkew is how far this machine's clock may be from the broker's before events look out of order to people.
const maxSkew = 2 * time.Second

func (d doctorCmd) atBroker(c *console) []finding {
	b, err := broker{d.NATS, d.NATSCreds}.connect(c)
	if err != nil {
		what, _, _ := strings.Cut(err.Error(), "\n")
		return []finding{{fail, what, "start one with \"seqrflow up\" or nats-server -js, or correct --nats"}}
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(c.ctx, 4*patience)
	defer cancel()
	out := []finding{{ok, "broker " + bus.Address(b.Conn().ConnectedUrl()) + ", server " + b.Conn().ConnectedServerVersion(), ""}}
	if _, err := b.JetStream().AccountInfo(ctx); err != nil {
		return append(out, finding{fail, "JetStream: " + err.Error(), "start the broker with -js, and allow JetStream to this account"})
	}
	out = append(out, finding{ok, "JetStream is on", ""})
	for _, want := range bus.Streams(d.Replicas) {
		out = append(out, streamFindings(ctx, b, want)...)
	}
	return append(out, parkedFinding(ctx, b))
}

func streamFindings(ctx context.Context, b *bus.Bus, want jetstream.StreamConfig) []finding {
	asked := time.Now()
	s, err := b.JetStream().Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return []finding{{warn, "stream " + want.Name + " is not there", "the first worker that starts makes it"}}
	}
	if err != nil {
		return []finding{{fail, "stream " + want.Name + ": " + err.Error(), "see the broker's log"}}
	}
	info := s.CachedInfo()
	var out []finding
	if diffs := differences(want, info.Config); len(diffs) > 0 {
		out = append(out, finding{warn, fmt.Sprintf("stream %s is not as it should be: %s", want.Name, strings.Join(diffs, "; ")),
			"a worker that starts corrects what can be changed; the rest needs a new stream"})
	} else {
		out = append(out, finding{ok, fmt.Sprintf("stream %s: %d messages, %d bytes, %d replicas", want.Name, info.State.Msgs, info.State.Bytes, info.Config.Replicas), ""})
	}
	if want.Name == events.OrdersStream && !info.TimeStamp.IsZero() {
		out = append(out, clockFinding(info.TimeStamp.Sub(asked), time.Since(asked)))
	}
	return append(out, consumerFindings(ctx, s)...)
}

// differences names the settings of a stream that matter and are not as wanted.
func differences(want, got jetstream.StreamConfig) []string {
	var out []string
	for _, d := range []struct {
		name      string
		want, got any
	}{
		{"subjects", want.Subjects, got.Subjects}, {"storage", want.Storage, got.Storage}, {"retention", want.Retention, got.Retention},
		{"discard", want.Discard, got.Discard}, {"deny delete", want.DenyDelete, got.DenyDelete}, {"max age", want.MaxAge, got.MaxAge},
		{"duplicates", want.Duplicates, got.Duplicates}, {"replicas", want.Replicas, got.Replicas}, {"max messages", want.MaxMsgs, got.MaxMsgs},
		{"max bytes", want.MaxBytes, got.MaxBytes}, {"max per subject", want.MaxMsgsPerSubject, got.MaxMsgsPerSubject}, {"direct get", want.AllowDirect, got.AllowDirect},
	} {
		if !reflect.DeepEqual(d.want, d.got) {
			out = append(out, fmt.Sprintf("%s is %v, not %v", d.name, d.got, d.want))
		}
	}
	return out
}

// clockFinding compares clocks: ahead is how much later the broker's reading is than ours before the call.
func clockFinding(ahead, took time.Duration) finding {
	skew := ahead
	if skew > 0 {
		skew = max(0, skew-took)
	}
	if skew.Abs() > maxSkew {
		return finding{warn, fmt.Sprintf("this machine's clock and the broker's are %s apart", skew.Abs().Round(time.Millisecond)), "run a time service such as chrony on both"}
	}
	return finding{ok, "clock agrees with the broker's", ""}
}

func parkedFinding(ctx context.Context, b *bus.Bus) finding {
	all, err := parkedAll(ctx, b, "")
	if err != nil {
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return finding{ok, "nothing is parked", ""}
		}
		return finding{fail, "parked messages: " + err.Error(), "see the broker's log"}
	}
	open, oldest := 0, time.Time{}
	for _, p := range all {
		if p.Replayed.IsZero() {
			if open++; oldest.IsZero() {
				oldest = p.Stored
			}
		}
	}
	if open == 0 {
		return finding{ok, "nothing is parked", ""}
	}
	return finding{warn, fmt.Sprintf("%d messages are parked, the oldest for %s", open, time.Since(oldest).Round(time.Second)), "seqrflow parked list --open"}
}

// consumerFindings finds workers that have messages waiting and do not take them.
func consumerFindings(ctx context.Context, s jetstream.Stream) []finding {
	list := s.ListConsumers(ctx)
	var out []finding
	n := 0
	for info := range list.Info() {
		if info.Config.Durable == "" || strings.HasSuffix(info.Config.Durable, "-replay") {
			continue
		}
		n++
		if waiting := info.NumPending + uint64(info.NumAckPending); info.NumWaiting == 0 && waiting > 0 {
			out = append(out, finding{warn, fmt.Sprintf("%d messages wait for the consumer %s of %s and nobody is asking for them", waiting, info.Config.Durable, info.Stream),
				"run its worker: seqrflow run " + workerOf(info.Config.Durable)})
		}
	}
	if err := list.Err(); err != nil {
		return append(out, finding{fail, "consumers: " + err.Error(), "see the broker's log"})
	}
	if n > 0 && len(out) == 0 {
		out = append(out, finding{ok, fmt.Sprintf("%d consumers of %s are served or have nothing to do", n, s.CachedInfo().Config.Name), ""})
	}
	return out
}

// workerOf names the worker of a consumer such as "refunder-late".
func workerOf(durable string) string {
	name, _, _ := strings.Cut(durable, "-")
	return name
}

func loopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
