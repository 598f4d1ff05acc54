package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type parkedCmd struct {
	List   parkedListCmd   `cmd:"" help:"What is parked, and what was replayed."`
	Show   parkedShowCmd   `cmd:"" help:"One parked message, whole, with the original."`
	Replay parkedReplayCmd `cmd:"" help:"Give parked messages to their worker once more."`
}

// parked is a record of PARKED with what became of it.
type parked struct{ bus.ParkedMessage }

func (p parked) status() string {
	if p.Open() {
		return "parked"
	}
	return "replayed"
}

// parkedOf makes a record that cannot be read tell so.
func parkedOf(m bus.ParkedMessage) parked {
	if m.Err != nil {
		m.Reason = "this record cannot be read: " + m.Err.Error()
	}
	return parked{m}
}

// parkedAll gives every parked message, oldest first, joined with the replays of it. An empty worker is any.
func parkedAll(ctx context.Context, b *bus.Bus, worker string) ([]parked, error) {
	all, err := b.ParkedMessages(ctx)
	if err != nil {
		return nil, err
	}
	var out []parked
	for _, m := range all {
		if worker == "" || strings.HasPrefix(m.On, "parked."+events.Token(worker)+".") {
			out = append(out, parkedOf(m))
		}
	}
	return out, nil
}

// parkedAt gives one parked message by its sequence.
func parkedAt(ctx context.Context, b *bus.Bus, seq uint64) (parked, error) {
	e, err := b.MessageAt(ctx, events.ParkedStream, seq)
	if err != nil {
		return parked{}, fmt.Errorf("there is no parked message %d (see: seqrflow parked list): %w", seq, err)
	}
	p, replayed, err := bus.DecodeParked(e.Body)
	if err == nil && replayed {
		err = fmt.Errorf("message %d is the replay of the parked message %d", seq, p.Replays)
	}
	return parked{bus.ParkedMessage{Parked: p, Seq: e.Seq, On: e.Subject, Stored: e.Time}}, err
}

type parkedListCmd struct {
	broker
	Worker string `placeholder:"NAME" help:"Only what this worker parked."`
	Open   bool   `help:"Only what was not replayed yet."`
	JSON   bool   `name:"json" help:"One JSON object per line."`
}

// Run prints a table.
func (l parkedListCmd) Run(c *console) error {
	b, err := l.connect(c)
	if err != nil {
		return err
	}
	defer b.Close()
	all, err := parkedAll(c.ctx, b, l.Worker)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, p := range all {
		if l.Open && !p.Open() {
			continue
		}
		if l.JSON {
			if err := c.json(p.view()); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{fmt.Sprint(p.Seq), c.lines.Date(p.Stored), p.Worker, p.Subject, fmt.Sprint(p.Attempts), p.status(), term.Clip(p.Reason, maxReason)})
	}
	if l.JSON {
		return nil
	}
	if len(rows) == 0 {
		c.say("nothing is parked")
		return nil
	}
	term.Table(c.out, c.paint(), []string{"seq", "when", "worker", "subject", "attempts", "status", "reason"}, rows, 0, 4)
	return nil
}

// maxReason keeps a row of the table readable; "parked show" has the whole.
const maxReason = 160

// view is the form of --json.
func (p parked) view() any {
	var replayed *time.Time
	if !p.Open() {
		t := p.Replayed.UTC()
		replayed = &t
	}
	return struct {
		Seq        uint64        `json:"seq"`
		Status     string        `json:"status"`
		ReplayedAt *time.Time    `json:"replayedAt,omitempty"`
		On         string        `json:"on"`
		Parked     events.Parked `json:"parked"`
	}{p.Seq, p.status(), replayed, p.On, p.Parked}
}

type parkedShowCmd struct {
	broker
	Seq  uint64 `arg:"" placeholder:"SEQ" help:"As parked list shows it."`
	JSON bool   `name:"json" help:"As JSON."`
}

// Run prints everything that is known of the parked message.
func (s parkedShowCmd) Run(c *console) error {
	b, err := s.connect(c)
	if err != nil {
		return err
	}
	defer b.Close()
	p, err := parkedAt(c.ctx, b, s.Seq)
	if err != nil {
		return err
	}
	original, gone := b.MessageAt(c.ctx, p.Stream, p.Sequence)
	if s.JSON {
		return c.json(struct {
			Parked   any        `json:"parked"`
			Original *bus.Entry `json:"original,omitempty"`
		}{p.view(), orNil(original, gone)})
	}
	c.say("parked message %d", p.Seq)
	for _, f := range [][2]string{
		{"when", c.lines.Date(p.Stored)}, {"worker", p.Worker}, {"reason", p.Reason}, {"attempts", fmt.Sprint(p.Attempts)},
		{"original", fmt.Sprintf("message %d of %s", p.Sequence, p.Stream)}, {"subject", p.Subject},
	} {
		c.say("  %s %s", term.Pad(f[0], 9), term.Clean(f[1]))
	}
	if gone != nil {
		c.say("\nThe original cannot be read (%v). What was kept of it:\n%s", gone, lines(p.Original))
		return nil
	}
	c.say("\n%s", lines(string(original.Body)))
	c.say("\nWhen the cause is mended: seqrflow parked replay %d --dry-run", p.Seq)
	return nil
}

func orNil(e bus.Entry, err error) *bus.Entry {
	if err != nil {
		return nil
	}
	return &e
}

// lines makes text of several lines harmless for a terminal.
func lines(s string) string {
	parts := strings.Split(s, "\n")
	for i := range parts {
		parts[i] = term.Clean(parts[i])
	}
	return strings.Join(parts, "\n")
}
