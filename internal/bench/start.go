package bench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/poller"
)

// Start measures how soon a poller that starts polls what is open, after a history of invoices that have ended.
type Start struct {
	Folder
	Ended int `default:"20000" min:"0" help:"Invoices that have ended before (${default})."`
	Open  int `default:"1000" min:"1" help:"Invoices that are open (${default})."`
}

// Help says what is measured.
func (Start) Help() string {
	return `A poller starts on a broker with a history of invoices that have ended. Printed is when it asks about the first open invoice, and when it has asked about all, with its durable and with a new one. The provider answers at once.`
}

// StartResult is what Start measures.
type StartResult struct {
	Ended   int       `json:"endedInvoices"`
	Open    int       `json:"openInvoices"`
	With    FirstPoll `json:"withItsDurable"`
	Without FirstPoll `json:"withANewDurable"`
}

// FirstPoll is when a poller polled, in seconds after its start.
type FirstPoll struct {
	First float64 `json:"firstPollSeconds"`
	All   float64 `json:"allPolledSeconds"` // every open invoice was polled
}

func (r StartResult) String() string {
	return fmt.Sprintf(`history             %d invoices that have ended, %d open
with its durable    %s
with a new one      %s`, r.Ended, r.Open, r.With, r.Without)
}

func (p FirstPoll) String() string {
	return fmt.Sprintf("first poll after %.3f s, all asked about after %.2f s", p.First, p.All)
}

// Run measures.
func (s Start) Run(ctx context.Context, cfg Config) (r StartResult, err error) {
	err = s.measure(ctx, cfg, 3*s.Ended+s.Open, 0, alone, func(ctx context.Context, f *fixture) (err error) {
		f.say("recording %d invoices that have ended and %d that are open", s.Ended, s.Open)
		err = each(ctx, s.Ended+s.Open, atOnce, func(ctx context.Context, i int) error { return f.record(ctx, strconv.Itoa(i), i < s.Ended) })
		if err != nil {
			return err
		}
		if err := waitFor(ctx, 2*time.Second); err != nil { // the first polls of what was issued just now are spread over a second
			return err
		}
		r.Ended, r.Open = s.Ended, s.Open
		if r.With, err = s.firstPolls(ctx, f); err != nil { // its durable is made with the broker
			return err
		}
		js, err := jetstream.New(f.Bus.Conn()) // the bus removes no consumer
		if err != nil {
			return err
		}
		if err := js.DeleteConsumer(ctx, events.OpenStream, poller.Name); err != nil {
			return err
		}
		r.Without, err = s.firstPolls(ctx, f)
		return err
	})
	return r, err
}

// record records an invoice, as the invoicer and the poller would. One that has ended is not on the index.
func (f *fixture) record(ctx context.Context, id string, ended bool) error {
	o := order(shop, id)
	if !ended {
		if _, _, err := f.Bus.IndexOpen(ctx, o.Key(), 1); err != nil {
			return err
		}
	}
	if err := f.recordIssued(ctx, o); err != nil || !ended {
		return err
	}
	return f.recordPaid(ctx, o.Key())
}

// firstPolls runs a poller until it has polled everything that is open.
func (s Start) firstPolls(ctx context.Context, f *fixture) (FirstPoll, error) {
	p := newPollCounter(alwaysIssued{}, 0)
	begun := time.Now()
	err := while(ctx, func(ctx context.Context) error { return p.WaitForOpen(ctx, s.Open) },
		poller.New(poller.Config{Bus: f.Bus, Provider: p, Shops: shops(), Log: f.Log}).Run)
	var took []time.Duration
	for i := range s.Open {
		took = append(took, p.First(strconv.Itoa(s.Ended+i)).Sub(begun))
	}
	return FirstPoll{First: slices.Min(took).Seconds(), All: slices.Max(took).Seconds()}, err
}
