package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsauth"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// brokerFlags are how a command that only visits reaches the broker.
type brokerFlags struct {
	NATS                 string `name:"nats" env:"SEQRFLOW_NATS" default:"nats://127.0.0.1:4222" placeholder:"URL" help:"The broker (${default})."`
	natsauth.Credentials `embed:""`
}

// invoiceArg is an invoice as a person names it: shop/invoice.
type invoiceArg struct {
	events.Key
	word string // as it was written, for a shell
}

// UnmarshalText reads shop/invoice.
func (a *invoiceArg) UnmarshalText(text []byte) (err error) {
	a.word = shellWord(string(text))
	a.Key, err = events.ParseKey(string(text))
	return err
}

// patience is how long a command waits for one answer.
const patience = 5 * time.Second

// quiet keeps the client from printing what the broker refuses: the command's own error says it.
var quiet = nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})

// connect fails at once where nothing answers: a person is waiting.
func (f brokerFlags) connect(c *console) (*bus.Bus, error) { return f.connectWith(c, 1) }

// connectWith connects for a command that may make streams of so many replicas.
func (f brokerFlags) connectWith(c *console, replicas int) (*bus.Bus, error) {
	if err := bus.CheckAddress(f.NATS); err != nil {
		return nil, wrongUsage("--nats: %v", err)
	}
	opts, err := f.Credentials.Options()
	if err != nil {
		return nil, wrongUsage("%v", err)
	}
	done := c.tellSlow(fmt.Sprintf("waiting for the broker at %s, for %s at most …", bus.Address(f.NATS), patience))
	defer done()
	nc, err := nats.Connect(f.NATS, append(opts, nats.NoReconnect(), nats.Timeout(patience), quiet)...)
	if err != nil {
		return nil, unreachable(f.NATS, patience, err)
	}
	nc.Close()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	return bus.Connect(ctx, bus.Config{URL: f.NATS, Name: "seqrflow command", Options: opts, Replicas: replicas, Log: zerolog.Nop()})
}
