package cli

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func (d doctorCmd) brokerFindings(c *console) []finding {
	b, err := brokerFlags{d.NATS, d.Credentials}.connectWith(c, d.Replicas)
	if err != nil {
		what, _, _ := strings.Cut(err.Error(), "\n")
		return []finding{{fail, what, "start one with \"seqrflow up\" or nats-server -js, or correct --nats"}}
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(c.ctx, 4*patience)
	defer cancel()
	out := []finding{{ok, "broker " + bus.Address(b.Conn().ConnectedUrl()) + ", server " + b.Conn().ConnectedServerVersion(), ""}}
	asking, done := context.WithTimeout(ctx, patience)
	defer done()
	account, err := b.Account(asking)
	if err != nil {
		return append(out, finding{fail, "JetStream: " + err.Error(), "start the broker with -js, and allow JetStream to this account"})
	}
	out = append(out, finding{ok, "JetStream is on", ""}, payloadFinding(b.Conn().MaxPayload()), storageFinding(account))
	for _, want := range bus.Streams(d.Replicas) {
		out = append(out, streamFindings(ctx, b, want.Name)...)
	}
	if s, err := b.StreamState(ctx, events.ProbesStream); err == nil && !s.Missing { // else it was told
		out = append(out, writeFinding(ctx, b))
	}
	out = append(out, openFinding(ctx, b), parkedFinding(ctx, b))
	return append(out, moneyFindings(c.ctx, b)...)
}

// leastPayload takes the largest order with what later events add to it.
const leastPayload = 1 << 20

func payloadFinding(most int64) finding {
	if most < leastPayload {
		return finding{fail, fmt.Sprintf("the broker takes messages of %d bytes at most", most), "set max_payload: 4MB in its configuration; larger orders are parked before anything is asked of the provider"}
	}
	return finding{ok, fmt.Sprintf("the broker takes messages of up to %d bytes", most), ""}
}

// listenTime is how long doctor listens for pollers, which tell once a second what they watch.
const listenTime = 2500 * time.Millisecond

// openFinding compares the index of open invoices with what living pollers say that they hold.
func openFinding(ctx context.Context, b *bus.Bus) finding {
	var living watching.Pollers
	listening, stop := context.WithTimeout(ctx, listenTime)
	defer stop()
	if err := watching.Listen(listening, b, func(a watching.Announcement) { living.Note(a, time.Now()) }); err != nil {
		return finding{fail, "listening for pollers: " + err.Error(), "see the broker's log"}
	}
	open, err := b.OpenCount(ctx)
	if err != nil {
		if bus.IsMissing(err) {
			return finding{ok, "no invoice is open", ""}
		}
		return finding{fail, "index of open invoices: " + err.Error(), "see the broker's log"}
	}
	held, pollers := living.Held(time.Now()), living.Living(time.Now())
	switch {
	case open > 0 && len(pollers) == 0:
		return finding{fail, fmt.Sprintf("%d invoices are open and no poller runs: what is paid now is reversed after 20 s", open), "run one: seqrflow run poller"}
	case int(min(open, 1<<40)) > held:
		return finding{fail, fmt.Sprintf("%d of %d open invoices are watched by no poller", int(open)-held, open), "see the pollers' logs: they name the shops whose credentials they lack"}
	case len(pollers) == 0:
		return finding{warn, "no poller runs; no invoice is open", "run one before orders come: seqrflow run poller"}
	}
	return finding{ok, fmt.Sprintf("%d open invoices, all watched, by %d pollers", open, len(pollers)), ""}
}

func streamFindings(ctx context.Context, b *bus.Bus, name string) []finding {
	asked := time.Now()
	s, err := b.StreamState(ctx, name)
	switch {
	case err != nil:
		return []finding{{fail, "stream " + name + ": " + err.Error(), "see the broker's log"}}
	case s.Missing:
		return []finding{{warn, "stream " + name + " is not there", "make it with: seqrflow broker apply"}}
	}
	out := []finding{{ok, fmt.Sprintf("stream %s: %d messages, %d bytes, %d replicas", name, s.Messages, s.Bytes, s.Replicas), ""}}
	if len(s.Differences) > 0 {
		out = []finding{{warn, fmt.Sprintf("stream %s is not as it should be: %s", name, strings.Join(s.Differences, "; ")),
			"seqrflow broker apply corrects what can be changed; storage and retention need a new stream"}}
	}
	if name == events.OrdersStream && !s.Time.IsZero() {
		out = append(out, clockFinding(s.Time.Sub(asked), time.Since(asked)))
	}
	out = append(out, limitFindings(s)...)
	return append(out, consumerFindings(ctx, b, name)...)
}

// limitFindings tell how much of an operator's limits is used. At nine tenths nothing new is begun.
func limitFindings(s bus.StreamState) []finding {
	var out []finding
	for _, l := range []struct {
		name string
		used uint64
		most int64
	}{{"bytes", s.Bytes, s.MaxBytes}, {"messages", s.Messages, s.MaxMessages}} {
		if l.most <= 0 {
			continue
		}
		what := fmt.Sprintf("stream %s has %d of at most %d %s", s.Name, l.used, l.most, l.name)
		if float64(l.used) >= 0.9*float64(l.most) {
			out = append(out, finding{fail, what, "raise the limit: orders are not invoiced until there is room"})
		} else {
			out = append(out, finding{ok, what, ""})
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
	if skew.Abs() > bus.MaxSkew {
		return finding{warn, fmt.Sprintf("this machine's clock and the broker's are %s apart", skew.Abs().Round(time.Millisecond)), "run a time service such as chrony on both"}
	}
	return finding{ok, "clock agrees with the broker's", ""}
}

func parkedFinding(ctx context.Context, b *bus.Bus) finding {
	open, err := b.OpenParked(ctx)
	if err != nil {
		if bus.IsMissing(err) {
			return finding{ok, "nothing is parked", ""}
		}
		return finding{fail, "parked messages: " + err.Error(), "see the broker's log"}
	}
	if len(open) == 0 {
		return finding{ok, "nothing is parked", ""}
	}
	return parkedFor(len(open), b.Now().Sub(open[0].Stored))
}

func parkedFor(n int, oldest time.Duration) finding {
	f := finding{warn, fmt.Sprintf("%d messages are parked, the oldest for %s", n, oldest.Round(time.Second)), "seqrflow parked list --open"}
	if oldest > parkedTooLong {
		f.Level = fail
	}
	return f
}

// consumerFindings finds workers that have messages waiting and do not take them.
func consumerFindings(ctx context.Context, b *bus.Bus, stream string) []finding {
	var out []finding
	n := 0
	for _, c := range app.Consumers() {
		if c.Stream != stream {
			continue
		}
		n++
		state, err := b.ConsumerState(ctx, c)
		switch {
		case bus.IsMissing(err):
			out = append(out, finding{warn, fmt.Sprintf("the consumer %s of %s is not there", c.Name, c.Stream), "make it with: seqrflow broker apply"})
			continue
		case err != nil:
			out = append(out, finding{fail, "consumer " + c.Name + ": " + err.Error(), "see the broker's log"})
			continue
		}
		if state.Asking == 0 && state.Waiting > 0 {
			out = append(out, finding{fail, fmt.Sprintf("%d messages wait for the consumer %s of %s and nobody is asking for them", state.Waiting, c.Name, c.Stream),
				"run its worker: seqrflow run " + c.Worker})
		}
	}
	if n > 0 && len(out) == 0 {
		out = append(out, finding{ok, fmt.Sprintf("%d consumers of %s are served or have nothing to do", n, stream), ""})
	}
	return out
}

func loopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && isLoopback(u.Hostname())
}
