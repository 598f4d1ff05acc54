package cli

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

func (d doctorCmd) brokerFindings(c *console) []finding {
	b, err := brokerFlags{d.NATS, d.Credentials}.connectWithin(c, patience, d.Replicas)
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
	if d.ConnectionsFile != "" {
		out = append(out, d.destinationFindings(ctx, b)...)
	}
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
	switch {
	case bus.IsMissing(err):
		return finding{ok, "no invoice is open", ""}
	case err != nil:
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

// limitFindings tell how much of an operator's limits is used.
func limitFindings(s bus.StreamState) []finding {
	var out []finding
	for _, l := range []struct {
		name string
		used uint64
		most int64
	}{{"bytes", s.Bytes, s.MaxBytes}, {"messages", s.Messages, s.MaxMessages}} {
		if l.most > 0 {
			out = append(out, usedFinding(fmt.Sprintf("stream %s has %d of at most %d %s", s.Name, l.used, l.most, l.name), l.used, l.most, "raise the limit"))
		}
	}
	return out
}

// usedFinding judges how much of a limit is used. At nine tenths nothing new is begun.
func usedFinding(what string, used uint64, most int64, mend string) finding {
	if float64(used) >= 0.9*float64(most) {
		return finding{fail, what, mend + ": orders are not invoiced until there is room"}
	}
	return finding{ok, what, ""}
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
	switch {
	case err != nil && !bus.IsMissing(err):
		return finding{fail, "parked messages: " + err.Error(), "see the broker's log"}
	case len(open) == 0:
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

// destinationFindings find consumers of the notifier without a connection, destinations without a consumer, and events that no copy of
// the notifier asks for.
func (d doctorCmd) destinationFindings(ctx context.Context, b *bus.Bus) []finding {
	there, err := b.Durables(ctx, events.InvoicesStream, notifier.ConsumerPrefix)
	if err != nil {
		return []finding{{fail, "consumers of the notifier: " + err.Error(), "see the broker's log"}}
	}
	var out []finding
	wanted := notifier.Consumers(d.Connections)
	for _, c := range wanted {
		if f := destinationConsumerFinding(ctx, b, c); f.Level != ok {
			out = append(out, f)
		}
	}
	for _, s := range there {
		if !slices.ContainsFunc(wanted, func(c bus.Consumer) bool { return s.Name == c.Name }) {
			out = append(out, finding{warn, fmt.Sprintf("the consumer %s has no connection; %d events wait for it", s.Name, s.Waiting),
				"put the connection back into the file, or remove the consumer: nats consumer rm INVOICES " + s.Name +
					" (where the broker has accounts, after seqrflow broker config --connections-file and a reload)"})
		}
	}
	if len(out) == 0 {
		out = append(out, finding{ok, fmt.Sprintf("%d destinations of shops' systems, each with its consumer", len(wanted)), ""})
	}
	return out
}

// destinationConsumerFinding looks at the consumer of one destination. A notifier does not ask for more events of a destination that
// gives no answer, but it always asks for what an operator replays.
func destinationConsumerFinding(ctx context.Context, b *bus.Bus, c bus.Consumer) finding {
	state, err := b.ConsumerState(ctx, c)
	switch {
	case bus.IsMissing(err):
		return finding{fail, "the consumer " + c.Name + " is not there: its destination is told nothing",
			"make it with: seqrflow broker apply --connections-file; where the broker has accounts, run seqrflow broker config --connections-file and reload first"}
	case err != nil:
		return finding{fail, "consumer " + c.Name + ": " + err.Error(), "see the broker's log"}
	case c.Kept || state.Waiting == 0 || state.Asking > 0:
		return finding{Level: ok}
	}
	if replays, err := b.ConsumerState(ctx, c.Replays()); err == nil && replays.Asking > 0 {
		return finding{Level: ok}
	}
	return finding{fail, fmt.Sprintf("%d events wait for the consumer %s and nobody is asking for them: its destination is not told", state.Waiting, c.Name),
		"run its worker with this connections file: seqrflow run notifier --connections-file"}
}

// consumerFindings finds workers that have messages waiting and do not take them.
func consumerFindings(ctx context.Context, b *bus.Bus, stream string) []finding {
	var out []finding
	all := slices.DeleteFunc(app.Consumers(), func(c bus.Consumer) bool { return c.Stream != stream })
	for _, c := range all {
		state, err := b.ConsumerState(ctx, c)
		switch {
		case bus.IsMissing(err):
			out = append(out, finding{warn, fmt.Sprintf("the consumer %s of %s is not there", c.Name, c.Stream), "make it with: seqrflow broker apply"})
		case err != nil:
			out = append(out, finding{fail, "consumer " + c.Name + ": " + err.Error(), "see the broker's log"})
		case state.Asking == 0 && state.Waiting > 0:
			out = append(out, finding{fail, fmt.Sprintf("%d messages wait for the consumer %s of %s and nobody is asking for them", state.Waiting, c.Name, c.Stream),
				"run its worker: seqrflow run " + c.Worker})
		}
	}
	if len(all) > 0 && len(out) == 0 {
		out = append(out, finding{ok, fmt.Sprintf("%d consumers of %s are served or have nothing to do", len(all), stream), ""})
	}
	return out
}

// loopback says that a URL is one of this machine.
func loopback(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}
