package chaos

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/outbound"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/webhook"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

// destination is a shop's own system, which the notifier tells by signed webhooks.
type destination struct {
	Shop    string
	Events  []events.Name // that it wants; all unless given
	Trouble *trouble
}

// trouble is what is wrong with a destination for a while.
type trouble struct {
	Kind   troubleKind
	Code   int           // that it answers
	Effect bool          // it has taken the event before it answers Code, or answers nothing
	Slow   time.Duration // before it answers

	Delay time.Duration // when the trouble begins
	Lasts time.Duration // 0 is until the order Until has ended, which must not wait for the destination, or until the end
	Until string
}

type troubleKind string

const (
	dead    troubleKind = "is dead"
	slow    troubleKind = "is slow"
	errs    troubleKind = "answers errors"
	hangsUp troubleKind = "drops the connection after the effect"
)

func (x destination) String() string {
	text := "the destination of " + x.Shop
	if len(x.Events) > 0 {
		text += fmt.Sprintf(", which wants %v,", x.Events)
	}
	if x.Trouble == nil {
		return text + " is well"
	}
	return text + " " + x.Trouble.String()
}

func (x trouble) String() string {
	text := string(x.Kind)
	switch x.Kind {
	case slow:
		text += fmt.Sprintf(" (%s)", x.Slow)
	case errs:
		text += fmt.Sprintf(" (%d)", x.Code)
		if x.Effect {
			text += " after the effect"
		}
	}
	text += fmt.Sprintf(" from %s on, ", x.Delay)
	switch {
	case x.Lasts > 0:
		return text + fmt.Sprintf("for %s", x.Lasts)
	case x.Until != "":
		return text + fmt.Sprintf("until %s has ended", x.Until)
	}
	return text + "until the end"
}

// fault is the trouble as the stand-in has it.
func (x trouble) fault() shopsim.Fault {
	drop := x.Kind == dead || x.Kind == hangsUp
	return shopsim.Fault{Drop: drop, Code: x.Code, Effect: x.Effect, Delay: x.Slow}
}

// destinations draws the destinations of the shops that have orders, what is wrong with them, and where the notifier is interrupted.
// Half of the schedules have none, and run no notifier, since each destination has consumers of its own, which cost time.
func (d draws) destinations(s *schedule) {
	var all []destination
	var interruptions []interruption
	for _, shop := range []string{rig.Shop, otherShop} {
		if !s.hasShop(shop) {
			continue
		}
		x := destination{Shop: shop}
		if d.chance(20) {
			x.Events = []events.Name{events.EventPaid, events.EventRefunded, events.EventCanceled}
		}
		if d.chance(60) {
			x.Trouble = d.trouble(s, shop)
		}
		all = append(all, x)
	}
	for range d.IntN(3) {
		x := interruption{
			Worker: notifier.Name, Nth: 1 + d.IntN(6),
			At: pick(d, beforeCall, afterCall, beforeAppend, duringAppend, beforeAck, duringAck),
		}
		if d.chance(8) {
			x.Blip = 10*time.Millisecond + d.millis(400)
		}
		interruptions = append(interruptions, x)
	}
	if d.chance(50) {
		s.Destinations, s.Interruptions = all, append(s.Interruptions, interruptions...)
	}
}

func (d draws) trouble(s *schedule, shop string) *trouble {
	x := trouble{Kind: pick(d, dead, dead, slow, errs, hangsUp), Delay: d.millis(300)}
	switch x.Kind {
	case slow:
		x.Slow = 20*time.Millisecond + d.millis(500) // some calls end before the answer
	case errs:
		x.Code, x.Effect = pick(d, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests), d.chance(40)
	case hangsUp:
		x.Effect = true
	}
	if d.chance(40) {
		x.Lasts = 1 + d.millis(1500)
	} else if i := slices.IndexFunc(s.Orders, s.endsByItself); i >= 0 && s.Orders[i].shop() == shop && !s.expectsReversals() {
		x.Until = s.Orders[i].ID
	}
	return &x
}

const (
	destinationName = "erp"
	tellTimeout     = 400 * time.Millisecond // of one call to a destination, until everything works: a busy machine is slower
)

// connections are the settings of the schedule's destinations.
func (s schedule) connections() connections.File {
	f := connections.File{Connections: map[string]connections.Connection{}}
	for _, x := range s.Destinations {
		f.Connections[x.Shop] = connections.Connection{Webhooks: []connections.Webhook{{Name: destinationName, Events: x.Events}}}
	}
	return f
}

// systems are the destinations of one simulation.
type systems struct {
	receivers map[string]*shopsim.Receiver // by shop
	server    *httptest.Server
	client    *outbound.Client
}

func startSystems(all []destination) *systems {
	sys := &systems{receivers: map[string]*shopsim.Receiver{}, client: outbound.New(outbound.Config{AllowPrivate: true})}
	mux := http.NewServeMux()
	for _, x := range all {
		sys.receivers[x.Shop] = shopsim.NewReceiver(secretOf(x.Shop))
		mux.Handle("/"+x.Shop, sys.receivers[x.Shop])
	}
	sys.server = httptest.NewServer(mux)
	return sys
}

func (sys *systems) close() {
	sys.client.Close()
	sys.server.CloseClientConnections()
	sys.server.Close()
}

// recover ends all troubles.
func (sys *systems) recover() {
	for _, r := range sys.receivers {
		r.SetFaults()
	}
}

// secretOf is the secret with which a shop's webhooks are signed.
func secretOf(shop string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte("the key of the chaos shop "+shop))
}

// notifierDestinations are the schedule's destinations as an instance calls them.
func (i *instance) notifierDestinations() (all []notifier.Destination) {
	sys := i.sim.systems
	for _, x := range i.sim.schedule.Destinations {
		out, err := webhook.NewOutbound(webhook.OutboundConfig{URL: sys.server.URL + "/" + x.Shop, Secrets: []string{secretOf(x.Shop)}, HTTP: sys.client})
		if err != nil {
			panic(err)
		}
		all = append(all, notifier.Destination{Shop: x.Shop, Name: destinationName, Events: x.Events, Outbound: faultyOutbound{out, i}})
	}
	return all
}

// faultyOutbound makes the calls of one instance, at which it may crash. A crash ends calls that are under way.
type faultyOutbound struct {
	real commerce.Outbound
	self *instance
}

// Deliver implements commerce.Outbound.
func (f faultyOutbound) Deliver(ctx context.Context, n commerce.Notice) commerce.Result {
	unheard := commerce.Result{Status: commerce.Again, Detail: errCrashed.Error()}
	if interrupt := f.self.reach(beforeCall); interrupt != nil {
		interrupt()
	}
	if f.self.hasCrashed() {
		return unheard
	}
	ctx, cancel := context.WithTimeout(ctx, f.self.sim.tellsWithin())
	defer cancel()
	defer context.AfterFunc(f.self.ctx, cancel)()
	r := f.real.Deliver(ctx, n)
	if interrupt := f.self.reach(afterCall); interrupt != nil {
		interrupt()
	}
	if f.self.hasCrashed() {
		return unheard
	}
	if r.Status != commerce.Again {
		f.self.sim.tracef("%s tells %s %s: %s", f.self, n.Invoice.InvoiceID, n.Name, r.Status)
	}
	return r
}

// tellsWithin is how long a call to a destination may take.
func (sim *simulation) tellsWithin() time.Duration {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	if sim.noMoreInterruptions {
		return sim.patience
	}
	return tellTimeout
}

// troubleDestination has something be wrong with a destination for a while.
func (sim *simulation) troubleDestination(ctx context.Context, shop string, x trouble) {
	if !pause(ctx, x.Delay) {
		return
	}
	receiver := sim.systems.receivers[shop]
	sim.tracef("the destination of %s %s", shop, x)
	receiver.SetFaults(x.fault())
	defer sim.tracef("the destination of %s is well", shop)
	defer receiver.SetFaults()
	if x.Lasts > 0 {
		pause(ctx, x.Lasts)
		return
	}
	if x.Until == "" {
		select {
		case <-sim.finishing:
		case <-ctx.Done():
		}
		return
	}
	if !sim.waitForEnd(ctx, x.Until) {
		sim.failf("%s waits for the destination of %s", x.Until, shop)
	}
}
