package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/exchanges"
)

type brokerApplyCmd struct {
	brokerFlags
	Replicas int `env:"SEQRFLOW_REPLICAS" default:"1" enum:"1,3" help:"Replicas of each stream that is made: 1, or 3 on a cluster."`
	connectionsFlag
	DryRun bool `help:"Only say what would be made or changed."`
}

func (brokerApplyCmd) Help() string {
	return `Makes the streams and consumers that are missing, and brings up to date what of the others is seqrflow's to decide: which messages they take and that none is removed. Limits, age, replicas and placement are yours and stay. Needs the provisioner's rights; run it before the workers, and after every update.

Examples:

    seqrflow broker apply --dry-run
    seqrflow broker apply --nats tls://broker:4222 --nats-ca ca.pem --nats-nkey broker/keys/provisioner.nk`
}

// applyTime bounds the whole, but for the index of open invoices, which is built from history only once.
const applyTime = 10 * time.Minute

func (a brokerApplyCmd) connect(c *console) (*bus.Bus, error) {
	return a.connectWithin(c, patience, a.Replicas)
}

func (a brokerApplyCmd) Run(c *console, b *bus.Bus) error {
	ctx, cancel := context.WithTimeout(c.ctx, applyTime)
	defer cancel()
	connected, err := a.load()
	if err != nil {
		return err
	}
	for _, want := range bus.Streams(a.Replicas) {
		s, err := b.StreamState(ctx, want.Name)
		if err != nil {
			return fmt.Errorf("stream %s: %w", want.Name, err)
		}
		c.say("%-8s stream   %s%s", planned(s), s.Name, limits(s))
	}
	if a.DryRun {
		c.say("dry run: nothing was made or changed")
		return nil
	}
	if err := b.EnsureStreams(ctx); err != nil {
		return err
	}
	made, err := exchanges.EnsureStream(ctx, b)
	if err != nil {
		return err
	}
	if made {
		c.say("%-8s stream   %s", "made", exchanges.Stream)
	}
	if err := b.EnsureConsumers(ctx, app.ConsumersWith(connected)); err != nil {
		return err
	}
	for _, consumer := range app.ConsumersWith(connected) {
		c.say("%-8s consumer %s of %s", "there", consumer.Name, consumer.Stream)
	}
	return nil
}

func planned(s bus.StreamState) string {
	switch {
	case s.Missing:
		return "make"
	case s.Changes:
		return "change"
	}
	return "as it is"
}

// limits tells what an operator has set, which is left alone.
func limits(s bus.StreamState) string {
	var out []string
	if s.MaxBytes > 0 {
		out = append(out, fmt.Sprintf("max_bytes %d", s.MaxBytes))
	}
	if s.MaxMessages > 0 {
		out = append(out, fmt.Sprintf("max_msgs %d", s.MaxMessages))
	}
	if s.MaxAge > 0 {
		out = append(out, "max_age "+s.MaxAge.String())
	}
	if len(out) == 0 {
		return ""
	}
	return "  (left as they are: " + strings.Join(out, ", ") + ")"
}

type brokerRestoredCmd struct {
	brokerFlags
	Yes bool `help:"Do not ask."`
}

func (brokerRestoredCmd) Help() string {
	return `A broker that was restored from a backup has forgotten what happened after the backup was taken, also refunds that were paid then. After this command every return, cancellation and late payment that was stored before now and has no recorded outcome is put in doubt instead of being paid: a period's report or "seqrflow refunds resolve" settles it. What is asked for afterwards is paid as ever.

Run it after the restore and before the workers. Needs the provisioner's rights.`
}

func (r brokerRestoredCmd) Run(c *console, b *bus.Bus) error {
	if !r.Yes && !c.confirm("Refunds without a recorded outcome will be in doubt and wait for a report or a person.") {
		return wrongUsage("not confirmed; nothing was changed (--yes confirms)")
	}
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	at, err := b.MarkRestored(ctx)
	if err != nil {
		return err
	}
	c.say("recorded: the broker was restored at %s", at.Format(time.RFC3339))
	return nil
}
