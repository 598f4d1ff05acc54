package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type parkedCmd struct {
	List    parkedListCmd    `cmd:"" help:"What is parked, and what became of it."`
	Show    parkedShowCmd    `cmd:"" help:"One parked message, whole, with the original."`
	Replay  parkedReplayCmd  `cmd:"" help:"Give parked messages to their worker once more."`
	Dismiss parkedDismissCmd `cmd:"" help:"Record that nothing has to be done about them any more, and why."`
}

// parked is a record of PARKED with what became of it.
type parked struct{ bus.ParkedMessage }

func (p parked) status() string {
	if p.Open() {
		return events.ParkedParked
	}
	return p.Decided.Event
}

// decision is what became of it, in words; "" while it waits for a person.
func (p parked) decision(l term.Lines) string {
	switch p.Decided.Event {
	case events.ParkedReplayed:
		if p.Again > 0 {
			return fmt.Sprintf("replayed at %s, and parked again as message %d", l.Date(p.Decided.At), p.Again)
		}
		return "replayed at " + l.Date(p.Decided.At)
	case events.ParkedDismissed:
		return fmt.Sprintf("dismissed at %s by %s: %s", l.Date(p.Decided.At), p.Decided.By, p.Decided.Why)
	}
	return ""
}

// parkedBy gives those of the messages that read finds which the worker has parked, oldest first. An empty worker is any. The reason of
// a record that cannot be read is the error.
func parkedBy(ctx context.Context, read func(context.Context) ([]bus.ParkedMessage, error), worker string) (out []parked, err error) {
	all, err := read(ctx)
	for _, m := range all {
		if m.Err != nil {
			m.Reason = "this record cannot be read: " + m.Err.Error()
		}
		if worker == "" || strings.HasPrefix(m.On, "parked."+events.Token(worker)+".") {
			out = append(out, parked{m})
		}
	}
	return out, err
}

// parkedSeq is the sequence of a parked message.
type parkedSeq uint64

// UnmarshalText reads the number that "parked list" shows.
func (s *parkedSeq) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || n == 0 {
		return fmt.Errorf("expected the number of a parked message, as \"seqrflow parked list\" shows it, got %q", text)
	}
	*s = parkedSeq(n)
	return nil
}

// parkedSeqs are the messages that the command line names, in its order.
type parkedSeqs []parkedSeq

// each gives the parked messages, each once: named twice, it is not replayed twice.
func (s parkedSeqs) each(ctx context.Context, b *bus.Bus) (out []parked, err error) {
	for i, seq := range s {
		if slices.Contains(s[:i], seq) {
			continue
		}
		p, err := parkedAt(ctx, b, uint64(seq))
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// parkedAt gives one parked message by its sequence.
func parkedAt(ctx context.Context, b *bus.Bus, seq uint64) (parked, error) {
	m, err := b.ParkedAt(ctx, seq)
	if errors.Is(err, bus.ErrNoMessage) {
		err = fmt.Errorf("there is no parked message %d (see: seqrflow parked list): %w", seq, err)
	}
	return parked{m}, err
}

type parkedListCmd struct {
	brokerFlags
	Worker string `placeholder:"NAME" help:"Only what this worker parked."`
	Open   bool   `help:"Only what waits for a person: neither replayed nor dismissed."`
	JSON   bool   `name:"json" help:"One JSON object per line."`
}

func (l parkedListCmd) Validate() error { return checkWorker(l.Worker) }

// checkWorker refuses a worker that there is not; none is any.
func checkWorker(name string) error {
	var names []string
	for _, p := range app.Processes() {
		names = append(names, p.Name)
	}
	if name != "" && !slices.Contains(names, name) {
		return fmt.Errorf("--worker: there is no worker %q; there are %s", name, strings.Join(names, ", "))
	}
	return nil
}

func (l parkedListCmd) Run(c *console, b *bus.Bus) error {
	read := b.ParkedMessages
	if l.Open {
		read = b.OpenParked
	}
	all, err := parkedBy(c.ctx, read, l.Worker)
	if err != nil {
		return err
	}
	return list[parked]{
		all: all, none: "nothing is parked",
		head: []string{"seq", "when", "worker", "subject", "attempts", "status", "reason"}, right: []int{0, 4},
		row: func(p parked) []string {
			return []string{fmt.Sprint(p.Seq), c.lines.Date(p.Stored), p.Worker, p.Subject, fmt.Sprint(p.Attempts), p.status(), term.Clip(p.Reason, maxReason)}
		},
	}.print(c, l.JSON)
}

// maxReason keeps a row of the table readable; "parked show" has the whole.
const maxReason = 160

// MarshalJSON writes the form of --json.
func (p parked) MarshalJSON() ([]byte, error) {
	at := func(event string) *time.Time {
		if p.Decided.Event != event {
			return nil
		}
		return new(p.Decided.At.UTC())
	}
	return json.Marshal(struct {
		Seq          uint64        `json:"seq"`
		Status       string        `json:"status"`
		ReplayedAt   *time.Time    `json:"replayedAt,omitempty"`
		ParkedAgain  uint64        `json:"parkedAgainAs,omitempty"`
		DismissedAt  *time.Time    `json:"dismissedAt,omitempty"`
		DismissedBy  string        `json:"dismissedBy,omitempty"`
		DismissedWhy string        `json:"dismissedWhy,omitempty"`
		On           string        `json:"on"`
		Parked       events.Parked `json:"parked"`
	}{p.Seq, p.status(), at(events.ParkedReplayed), p.Again, at(events.ParkedDismissed), p.Decided.By, p.Decided.Why, p.On, p.Parked})
}

type parkedShowCmd struct {
	brokerFlags
	Seq  parkedSeq `arg:"" placeholder:"SEQ" help:"As parked list shows it."`
	JSON bool      `name:"json" help:"As JSON."`
}

func (s parkedShowCmd) Run(c *console, b *bus.Bus) error {
	p, err := parkedAt(c.ctx, b, uint64(s.Seq))
	if err != nil {
		return err
	}
	original, gone := b.MessageAt(c.ctx, p.Stream, p.Sequence)
	if s.JSON {
		out := struct {
			Parked   parked     `json:"parked"`
			Original *bus.Entry `json:"original,omitempty"`
		}{Parked: p}
		if gone == nil {
			out.Original = &original
		}
		return c.json(out)
	}
	c.say("parked message %d", p.Seq)
	c.facts(9, [][2]string{
		{"when", c.lines.Date(p.Stored)}, {"worker", p.Worker}, {"reason", p.Reason}, {"attempts", fmt.Sprint(p.Attempts)},
		{"original", fmt.Sprintf("message %d of %s", p.Sequence, p.Stream)}, {"subject", p.Subject},
		{"decided", p.decision(c.lines)},
	})
	if gone != nil {
		c.say("\nThe original cannot be read (%v). What was kept of it:\n%s", gone, lines(p.Original))
		return nil
	}
	c.say("\n%s", lines(string(original.Body)))
	if p.Open() {
		c.say("\nWhen the cause is mended: seqrflow parked replay %[1]d --dry-run\nWhen nobody has to do anything about it any more: seqrflow parked dismiss %[1]d --by NAME --reason TEXT", p.Seq)
	}
	return nil
}

// lines makes text of several lines harmless for a terminal.
func lines(s string) string {
	parts := strings.Split(s, "\n")
	for i := range parts {
		parts[i] = term.Clean(parts[i])
	}
	return strings.Join(parts, "\n")
}
