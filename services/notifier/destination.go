package notifier

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// sender sends the events of one destination. The events of an invoice are sent one after another, those of other invoices meanwhile.
type sender struct {
	*Worker
	Destination
	consumer bus.Consumer
	floor    floor
	handlers sync.WaitGroup
	inHand   context.Context // of the handlers

	mu      sync.Mutex
	stopped bool
	lanes   map[string][]*bus.Lease // by invoice, in the order of the stream; the first may be being handled
	ready   []string                // invoices of which the first message waits for a handler
	running int
	held    int // messages that are leased, but for replayed ones
	pace    pace
	timer   *time.Timer
	room    chan struct{} // is told when there may be room for more
}

func newSender(w *Worker, d Destination) *sender {
	s := &sender{
		Worker: w, Destination: d, consumer: consumer(d.Shop, d.Name, false), lanes: map[string][]*bus.Lease{}, room: make(chan struct{}, 1),
		pace: pace{probes: w.Probes},
	}
	s.consumer.Room = s.waitForRoom
	return s
}

// grace is how long calls that are under way have after the worker was told to stop.
const grace = 4 * time.Second

func (s *sender) run(ctx context.Context) error {
	inHand, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	s.inHand = inHand
	return s.Bus.Lease(ctx, s.consumer, s.arrive, func() { s.stop(abandon) })
}

// stop gives back what waits, and waits for the calls that are under way.
func (s *sender) stop(abandon func()) {
	s.mu.Lock()
	s.stopped = true
	rest := s.takeWaiting()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	for _, l := range rest {
		l.GiveBack(0)
	}
	ended := time.AfterFunc(grace, abandon)
	s.handlers.Wait()
	ended.Stop()
}

// takeWaiting takes out the messages that no handler has, in the order of the stream. It is called with mu held.
func (s *sender) takeWaiting() (out []*bus.Lease) {
	for _, key := range s.ready {
		out = append(out, s.lanes[key]...)
		delete(s.lanes, key)
	}
	for key, lane := range s.lanes {
		out = append(out, lane[1:]...)
		s.lanes[key] = lane[:1]
	}
	s.ready = nil
	slices.SortFunc(out, func(a, b *bus.Lease) int { return int(a.Seq) - int(b.Seq) })
	for _, l := range out {
		if !l.Replayed {
			s.held--
		}
	}
	return out
}

// waitForRoom gives how many more messages may be leased: few while the destination gives no answer.
func (s *sender) waitForRoom(ctx context.Context) int {
	for {
		s.mu.Lock()
		room := s.most() - s.held
		s.mu.Unlock()
		if room > 0 {
			return room
		}
		select {
		case <-ctx.Done():
			return 0
		case <-s.room:
		}
	}
}

// most is how many messages may be leased. It is called with mu held.
func (s *sender) most() int {
	if s.pace.down() {
		return 1
	}
	return leased
}

// replayPause is how long a replayed message stays at the broker that cannot be sent now.
const replayPause = 30 * time.Second

// arrive queues a message. It never blocks.
func (s *sender) arrive(l *bus.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		l.GiveBack(0)
		return
	case l.Replayed && len(s.lanes) >= s.most():
		l.GiveBack(min(replayPause, s.Backoff.Most))
		return
	case !l.Replayed && s.held >= s.most():
		l.GiveBack(0) // it was asked for before the destination went silent
		return
	case !l.Replayed:
		s.held++
	}
	key := l.Subject[:strings.LastIndexByte(l.Subject, '.')]
	lane := s.lanes[key]
	if lane == nil {
		s.ready = append(s.ready, key)
	}
	at := len(lane) // behind the one that may be being handled
	for at > 1 && lane[at-1].Seq > l.Seq {
		at--
	}
	s.lanes[key] = slices.Insert(lane, at, l)
	s.dispatch()
}

// dispatch starts as many handlers as there is room for. It is called with mu held.
func (s *sender) dispatch() {
	for !s.stopped && s.running < s.Concurrency && len(s.ready) > 0 {
		key := s.ready[0]
		l := s.lanes[key][0]
		hopeless := s.pace.hopeless(l.Time, s.Bus.Now(), s.Patience)
		if pause := s.pace.pause(time.Now()); pause > 0 && !hopeless {
			if s.timer != nil {
				s.timer.Stop()
			}
			s.timer = time.AfterFunc(pause, s.dispatchLater)
			return
		}
		s.ready = s.ready[1:]
		s.running++
		s.handlers.Go(func() { s.handle(key, l, hopeless) })
	}
}

func (s *sender) dispatchLater() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dispatch()
}

// handle makes one attempt, and goes on with the next message.
func (s *sender) handle(key string, l *bus.Lease, hopeless bool) {
	begun := time.Now()
	r := s.attempt(s.inHand, l, hopeless)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if !l.Replayed {
		s.held--
	}
	if lane := s.lanes[key][1:]; len(lane) > 0 {
		s.lanes[key] = lane
		s.ready = append(s.ready, key)
	} else {
		delete(s.lanes, key)
	}
	was := s.pace.down()
	s.pace.learn(r, begun, time.Now(), s.Bus.Now())
	if down := s.pace.down(); down != was {
		s.tellPace(down)
		if down { // other copies may reach the destination
			for _, rest := range s.takeWaiting() {
				pause := time.Duration(0)
				if rest.Replayed {
					pause = replayPause
				}
				rest.GiveBack(pause)
			}
		}
	}
	select {
	case s.room <- struct{}{}:
	default:
	}
	s.dispatch()
}

func (s *sender) tellPace(down bool) {
	log := s.Log.Info().Str("worker", Name).Str("shop", s.Shop).Str("destination", s.Name)
	if !down {
		log.Msg("the destination answers again")
		return
	}
	log.Str("detail", s.pace.last.Detail).Msg("the destination gives no answer: it is tried with one event at a time, and the others wait")
}

// floor is how far the durable is acknowledged, as it was known last: all up to there has ended for the destination.
type floor struct {
	mu    sync.Mutex
	known uint64
	asked time.Time
}

// floorAge is how old what is known of the durable may be before the broker is asked again.
const floorAge = time.Second

// isSettled says whether a message of the durable is acknowledged, or was there before the durable. It may say no for a while after.
func (s *sender) isSettled(ctx context.Context, seq uint64) (bool, error) {
	f := &s.floor
	f.mu.Lock()
	defer f.mu.Unlock()
	if seq > f.known && time.Since(f.asked) > floorAge {
		state, err := s.Bus.ConsumerState(ctx, s.consumer)
		if err != nil {
			return false, err
		}
		f.known, f.asked = max(f.known, state.Floor), time.Now()
	}
	return seq <= f.known, nil
}

// wants says whether the destination is to be told of the event.
func (d Destination) wants(e events.Name) bool {
	return len(d.Events) == 0 || slices.Contains(d.Events, e)
}
