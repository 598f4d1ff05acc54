package cli

import (
	"fmt"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
)

type parkedDismissCmd struct {
	brokerFlags
	Seq    parkedSeqs `arg:"" placeholder:"SEQ" help:"Which, as parked list shows them."`
	By     string     `required:"" placeholder:"NAME" help:"The name of the person who has decided."`
	Reason string     `required:"" placeholder:"TEXT" help:"Why nothing has to be done about it any more."`
}

func (parkedDismissCmd) Help() string {
	return `The decision is recorded as an event on PARKED. The message then no longer waits for a person, and "parked list", "parked show" and "show" say who decided and why. Nothing is done with the original. A dismissed message can still be replayed, with --again.

Example:

    seqrflow parked dismiss 12 13 --by 'Ann, support' --reason 'test orders of the new shop'`
}

func (d parkedDismissCmd) Run(c *console, b *bus.Bus) error {
	chosen, err := d.Seq.each(c.ctx, b)
	if err != nil {
		return err
	}
	for _, p := range chosen {
		if !p.Open() {
			return fmt.Errorf("nothing was dismissed: parked message %d was %s", p.Seq, term.Clean(p.decision(c.lines)))
		}
	}
	for _, p := range chosen {
		if err := b.Dismiss(c.ctx, p.ParkedMessage, d.By, d.Reason); err != nil {
			return fmt.Errorf("parked message %d: %w", p.Seq, err)
		}
		c.say("dismissed  %d  %s  of the %s", p.Seq, term.Clean(p.Subject), term.Clean(p.Worker))
	}
	return nil
}
