package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type parkedReplayCmd struct {
	brokerFlags
	Seq    parkedSeqs `arg:"" optional:"" placeholder:"SEQ" help:"Which, as parked list shows them."`
	All    bool       `help:"All that wait for a person: neither replayed nor dismissed."`
	Worker string     `placeholder:"NAME" help:"With --all: only what this worker parked."`
	Again  bool       `help:"Also what was replayed or dismissed before."`
	DryRun bool       `name:"dry-run" help:"Only say what would happen."`
}

func (parkedReplayCmd) Help() string {
	return `The worker takes the original message once more, just as it was, and decides by how the invoice stands now. What cannot be handled is parked again. An order that is wrong in itself stays wrong: place a corrected one, and dismiss the wrong one. What was replayed or dismissed before is left alone without --again.

Examples:

    seqrflow parked replay 12 13 --dry-run
    seqrflow parked replay --all --worker invoicer`
}

func (r parkedReplayCmd) Validate() error {
	switch {
	case r.All == (len(r.Seq) > 0):
		return errors.New("say which: sequence numbers from \"seqrflow parked list\", or --all")
	case r.Worker != "" && !r.All:
		return errors.New("--worker goes with --all")
	case r.All && r.Again:
		return errors.New("--again goes with sequence numbers")
	}
	return checkWorker(r.Worker)
}

func (r parkedReplayCmd) Run(c *console, b *bus.Bus) error {
	chosen, err := r.choose(c, b)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		c.say("nothing to replay")
		return nil
	}
	for _, p := range chosen {
		if r.DryRun {
			what, err := forecast(c.ctx, b, p)
			if err != nil {
				return err
			}
			c.say("would replay  %d  %s  to the %s: %s", p.Seq, term.Clean(p.Subject), term.Clean(p.Worker), term.Clean(what))
			continue
		}
		if err := b.Replay(c.ctx, p.ParkedMessage); err != nil {
			return fmt.Errorf("parked message %d: %w", p.Seq, err)
		}
		c.say("replayed  %d  %s  to the %s", p.Seq, term.Clean(p.Subject), term.Clean(p.Worker))
	}
	return nil
}

func (r parkedReplayCmd) choose(c *console, b *bus.Bus) (out []parked, err error) {
	if r.All {
		return parkedBy(c.ctx, b.OpenParked, r.Worker)
	}
	out, err = r.Seq.each(c.ctx, b)
	for _, p := range out {
		if !p.Open() && !r.Again {
			return nil, fmt.Errorf("nothing was replayed: parked message %d was %s; to give it to the %s once more, add --again", p.Seq, term.Clean(p.decision(c.lines)), p.Worker)
		}
	}
	return out, err
}

// forecast says what the worker would meet: whether the message can be read now, and how its invoice stands.
func forecast(ctx context.Context, b *bus.Bus, p parked) (string, error) {
	original, err := b.MessageAt(ctx, p.Stream, p.Sequence)
	if err != nil {
		return "", fmt.Errorf("the original of the parked message %d: %w", p.Seq, err)
	}
	var key events.Key
	switch p.Stream {
	case events.OrdersStream:
		m := events.Message{Subject: original.Subject, Header: original.Header, Body: original.Body}
		if err := orderfile.CheckMessage(m); err != nil {
			return "it cannot be read and would be parked again: " + err.Error(), nil
		}
		seen := orderfile.Glance(original.Subject, original.Body)
		key = events.KeyOf(seen.Shop, seen.Invoice)
	case events.InvoicesStream:
		at, err := events.ParseSubject(original.Subject)
		if err != nil {
			return "it would be parked again: " + err.Error(), nil
		}
		key = at.Key()
	default:
		return "it is handled by how its period stands now", nil
	}
	inv, err := b.Load(ctx, key)
	if err != nil {
		return "", err
	}
	if inv.Seq == 0 {
		return fmt.Sprintf("it can be read; nothing is recorded of %s yet", key), nil
	}
	return fmt.Sprintf("it can be read; %s is %s since %s", key, inv.State, inv.Change.At.UTC().Format("2006-01-02 15:04:05Z")), nil
}
