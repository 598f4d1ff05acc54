package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

// Deliveries measures a notifier with two shops. The system of one is dead while events are recorded for it, then it is back. That of
// the other works.
type Deliveries struct {
	Folder
	Events int `default:"100000" min:"1" help:"How many events are recorded for the dead destination (${default})."`
	Rate   int `default:"10" min:"1" help:"Events a second of the other shop (${default})."`
}

// Help says what is measured.
func (Deliveries) Help() string {
	return `The notifier runs in a process of its own on one processor. Two shops have a signed webhook each. The server of one is down: it refuses connections. Events are recorded for it as fast as the broker takes them, three for each invoice. Then the server is back, and all of them are sent. The other shop's events come at a steady rate all the time.

Printed is what the notifier needs meanwhile, how often it calls the dead server, how soon the other shop is told, and how fast the rest is sent. An event that is missing, or that comes before an earlier one of its invoice, is an error.`
}

// DeliveriesResult is what Deliveries measures.
type DeliveriesResult struct {
	Events   int     `json:"events"` // for the dead destination
	Recorded float64 `json:"recordedPerSecond"`
	Dead     float64 `json:"deadSeconds"`
	Taken    int     `json:"takenWhileDead"` // events, at most, that the broker had given out and that had not ended; also those that went back to it
	Calls    int     `json:"callsWhileDead"`
	PerMin   float64 `json:"callsPerMinuteWhileDead"`
	LastMin  int     `json:"callsInTheLastMinuteDead"`

	Idle    uint64 `json:"idleRssBytes"` // of the notifier, before the first event for the dead destination
	RSS     uint64 `json:"rssBytes"`     // when that is back
	PeakRSS uint64 `json:"peakRssBytes"` // until the end

	First      float64 `json:"secondsToFirstDelivery"` // from when the destination is back
	All        float64 `json:"secondsToLastDelivery"`
	PerSec     float64 `json:"deliveriesPerSecond"` // from the first to the last
	Busy       float64 `json:"processorShare"`      // of the notifier's one processor, from when the destination is back
	Missing    int     `json:"missing"`
	OutOfOrder int     `json:"outOfOrder"`
	Repeated   int     `json:"repeated"`

	// Of the other shop, from when an event was recorded until it is told; 0 where it was told before the broker had answered.
	Before    Quantiles `json:"recordedToToldBefore"`
	Recording Quantiles `json:"recordedToToldWhileRecording"`
	Beside    Quantiles `json:"recordedToToldWhileDead"` // when everything was recorded
	After     Quantiles `json:"recordedToToldWhenBack"`
}

func (r DeliveriesResult) String() string {
	return fmt.Sprintf(`while it is dead    %d events recorded, %.0f a second; dead for %.0f s
calls to it         %d, %.1f a minute; %d in the last minute
taken from broker   %d of the events at most
memory              resident %.0f MB before, %.0f MB when it is back, %.0f MB at most
when it is back     first delivery after %.1f s, then %.0f a second; all after %.1f s (%.0f %% of its processor used)
                    missing %d, out of order %d, repeated %d
the other shop      from recorded to told
  before            %s (%d events)
  while recording   %s (%d events)
  while it is dead  %s (%d events)
  when it is back   %s (%d events)`,
		r.Events, r.Recorded, r.Dead, r.Calls, r.PerMin, r.LastMin, r.Taken, mb(r.Idle), mb(r.RSS), mb(r.PeakRSS),
		r.First, r.PerSec, r.All, 100*r.Busy, r.Missing, r.OutOfOrder, r.Repeated,
		r.Before, r.Before.Count, r.Recording, r.Recording.Count, r.Beside, r.Beside.Count, r.After, r.After.Count)
}

const (
	deadShop    = "dead"
	workingShop = "working"
	destination = "erp" // of both shops

	some        = 50                     // events of the other shop, in a phase in which nothing else happens
	silentCalls = 5                      // calls without an answer, in a row, that make a destination silent for the notifier
	writesEach  = 5                      // of an order, by which measure counts
	askedEvery  = 100 * time.Millisecond // how often the broker is asked for what it has given out
)

// Run measures.
func (d Deliveries) Run(ctx context.Context, cfg Config) (r DeliveriesResult, err error) {
	err = d.measure(ctx, cfg, d.Events/writesEach, seconds(2*some)/time.Duration(d.Rate), targets("natsd", "bus"), func(ctx context.Context, f *fixture) (err error) {
		run := &deliveries{Deliveries: d, fixture: f, silent: make(chan struct{})}
		defer func() { err = errors.Join(err, run.close()) }()
		if err := run.start(ctx); err != nil {
			return err
		}
		if err := while(ctx, run.play, run.other.run); err != nil {
			return err
		}
		err = run.finish(ctx)
		r = run.result
		return err
	})
	return r, err
}

// deliveries is one run.
type deliveries struct {
	Deliveries
	*fixture
	notifier *workerProcess
	dead     *receiver
	other    *steadyShop
	calls    []time.Time   // to the dead destination
	silent   chan struct{} // closed when there were silentCalls of them
	result   DeliveriesResult
}

// start makes the destinations, their durables, and the notifier. The dead one does not listen.
func (r *deliveries) start(ctx context.Context) (err error) {
	r.notifier, err = r.startWorker(ctx, notifier.Name, func(dir string) (string, error) {
		file, secret, err := newSecret(dir)
		if err != nil {
			return "", err
		}
		if r.dead, err = newReceiver(secret); err != nil {
			return "", err
		}
		working, err := newReceiver(secret)
		if err != nil {
			return "", err
		}
		if err := working.listen(); err != nil {
			return "", err
		}
		r.other = &steadyShop{fixture: r.fixture, shop: workingShop, rate: r.Rate, system: working}
		r.other.nextPhase()
		text, all := "connections:\n", connections.File{Connections: map[string]connections.Connection{}}
		for shop, to := range map[string]*receiver{deadShop: r.dead, workingShop: working} {
			text += fmt.Sprintf("  %s: {webhooks: [{name: %s, url: %q, secret_files: %q}]}\n", shop, destination, to.url, file)
			all.Connections[shop] = connections.Connection{Webhooks: []connections.Webhook{{Name: destination}}}
		}
		return text, r.Bus.EnsureConsumers(ctx, notifier.Consumers(all))
	})
	return err
}

// close ends what start has begun.
func (r *deliveries) close() (err error) {
	if r.notifier != nil {
		err = r.notifier.end()
	}
	if r.other != nil {
		err = errors.Join(err, r.other.system.close())
	}
	if r.dead != nil {
		err = errors.Join(err, r.dead.close())
	}
	return err
}

func (r *deliveries) play(ctx context.Context) error {
	r.say("one destination is dead; the other shop has %d events a second", r.Rate)
	if err := r.other.system.waitFor(ctx, some); err != nil {
		return err
	}
	r.result.Events, r.result.Idle = r.Events, status(r.notifier.pid()).VmRSS
	r.say("recording %d events for the dead destination", r.Events)
	r.other.nextPhase()
	begun := time.Now()
	if err := while(ctx, r.outage, r.watchTaken, r.watchCalls); err != nil {
		return err
	}
	r.noteOutage(begun, time.Now())
	r.say("the destination is back after %.1f s", r.result.Dead)
	r.other.nextPhase()
	return r.comeBack(ctx)
}

// outage records the events for the dead destination. It waits until the notifier takes the destination for silent, and then for some
// events of the other shop.
func (r *deliveries) outage(ctx context.Context) error {
	begun := time.Now()
	if err := each(ctx, r.invoices(), atOnce, r.recordLife); err != nil {
		return err
	}
	r.result.Recorded = float64(r.Events) / time.Since(begun).Seconds()
	select {
	case <-r.silent:
	case <-ctx.Done():
		return ctx.Err()
	}
	return r.other.system.waitFor(ctx, r.other.nextPhase()+some)
}

// invoices is how many the events are of.
func (r *deliveries) invoices() int { return (r.Events + len(life) - 1) / len(life) }

// recordLife records the events of an invoice; the last invoice may have fewer than the others.
func (r *deliveries) recordLife(ctx context.Context, i int) error {
	o := order(deadShop, strconv.Itoa(i))
	all := []func() error{
		func() error { return r.recordIssued(ctx, o) },
		func() error { return r.recordPaid(ctx, o.Key()) },
		func() error { return r.recordReceipted(ctx, o.Key()) },
	}
	for _, record := range all[:min(len(all), r.Events-i*len(all))] {
		if err := record(); err != nil {
			return err
		}
	}
	return nil
}

func (r *deliveries) noteOutage(begun, ended time.Time) {
	out := &r.result
	out.Dead, out.RSS, out.Calls = ended.Sub(begun).Seconds(), status(r.notifier.pid()).VmRSS, len(r.calls)
	out.PerMin = float64(out.Calls) / ended.Sub(begun).Minutes()
	for _, at := range r.calls {
		if ended.Sub(at) <= time.Minute {
			out.LastMin++
		}
	}
}

// comeBack has the dead destination listen, and waits until it was told of everything.
func (r *deliveries) comeBack(ctx context.Context) error {
	begun, cpu := time.Now(), cpuTime(r.notifier.pid())
	if err := r.dead.listen(); err != nil {
		return err
	}
	if err := r.dead.waitFor(ctx, r.Events); err != nil {
		return err
	}
	out, took := &r.result, time.Since(begun)
	out.Busy = (cpuTime(r.notifier.pid()) - cpu).Seconds() / took.Seconds()
	out.First, out.All = r.dead.first.Sub(begun).Seconds(), took.Seconds()
	out.PerSec = float64(r.Events) / (out.All - out.First)
	return nil
}

// finish waits until the other shop was told of everything too, and fails if something came out of order.
func (r *deliveries) finish(ctx context.Context) error {
	if err := r.other.system.waitFor(ctx, r.other.nextPhase()); err != nil {
		return fmt.Errorf("the other shop: %w", err)
	}
	out := &r.result
	out.PeakRSS = status(r.notifier.pid()).VmHWM
	for i, q := range []*Quantiles{&out.Before, &out.Recording, &out.Beside, &out.After} {
		*q = r.other.toldAfter(i)
	}
	told, outOfOrder, repeated := r.dead.counts()
	if out.Missing, out.OutOfOrder, out.Repeated = r.Events-told, outOfOrder, repeated; outOfOrder > 0 {
		return fmt.Errorf("%d events came before an earlier event of their invoice", outOfOrder)
	}
	return nil
}

// watchTaken notes how many events the broker has given to the notifier and has no end of. It counts those too that went back to it.
func (r *deliveries) watchTaken(ctx context.Context) error {
	js, err := jetstream.New(r.Bus.Conn())
	if err != nil {
		return err
	}
	name := notifier.ConsumerName(deadShop, destination)
	for {
		c, err := js.Consumer(ctx, events.InvoicesStream, name)
		if err == nil {
			r.result.Taken = max(r.result.Taken, c.CachedInfo().NumAckPending)
			err = waitFor(ctx, askedEvery)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// watchCalls notes each attempt to tell the dead destination.
func (r *deliveries) watchCalls(ctx context.Context) error {
	attempts := bus.Source{Stream: events.DeliveriesStream, Filters: []string{"deliveries." + deadShop + "." + destination + ".*"}, All: true}
	return r.Bus.Follow(ctx, []bus.Source{attempts}, nil, func(e bus.Entry) error {
		r.calls = append(r.calls, e.Time)
		if len(r.calls) == min(silentCalls, r.invoices()) {
			close(r.silent)
		}
		return nil
	})
}
