package doors

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// violations collects the subjects that the server has refused to a connection.
type violations struct {
	mu   sync.Mutex
	got  []string
	more chan struct{}
}

var quoted = regexp.MustCompile(`Permissions Violation for (Publish|Subscription) to "([^"]+)"`)

func (v *violations) handler() nats.Option {
	v.more = make(chan struct{}, 1)
	return nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if m := quoted.FindStringSubmatch(err.Error()); m != nil {
			v.mu.Lock()
			v.got = append(v.got, m[2])
			v.mu.Unlock()
			select {
			case v.more <- struct{}{}:
			default:
			}
		}
	})
}

// await all of the subjects, and give those that never came.
func (v *violations) await(want []string) (missing []string) {
	deadline := time.After(rig.Patience)
	for {
		v.mu.Lock()
		missing = slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(v.got, s) })
		v.mu.Unlock()
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-v.more:
		case <-deadline:
			return missing
		}
	}
}

// universe is every subject that anybody has a right to, without wildcards, and what nobody has.
func (f *fixture) universe(k broker.Kind) []string {
	var out []string
	for _, r := range f.roles() {
		for _, right := range r.Rights() {
			if right.Kind == k {
				out = append(out, literal(right.Subject, "x1"))
			}
		}
		out = append(out, r.Denied()...)
	}
	for _, e := range events.Names() {
		out = append(out, "invoices.acme.1001."+string(e), "invoices.other.1001."+string(e))
	}
	for _, c := range streamConfigs() {
		out = append(out, "$JS.API.STREAM.CREATE."+c.Name, "$JS.API.STREAM.UPDATE."+c.Name, "$JS.API.STREAM.DELETE."+c.Name, "$JS.API.STREAM.PURGE."+c.Name,
			"$JS.API.STREAM.MSG.DELETE."+c.Name, "$JS.API.STREAM.SNAPSHOT."+c.Name, "$JS.API.STREAM.RESTORE."+c.Name, "$JS.API.STREAM.LEADER.STEPDOWN."+c.Name,
			"$JS.API.CONSUMER.CREATE."+c.Name, "$JS.API.CONSUMER.CREATE."+c.Name+".own", "$JS.API.CONSUMER.DURABLE.CREATE."+c.Name+".own")
	}
	for _, d := range broker.Durables(connected) {
		at := d.Stream + "." + d.Name
		out = append(out, "$JS.API.CONSUMER.CREATE."+at, "$JS.API.CONSUMER.CREATE."+at+".a.b", "$JS.API.CONSUMER.DELETE."+at, "$JS.API.CONSUMER.DURABLE.CREATE."+at,
			"$JS.API.CONSUMER.MSG.NEXT."+at, "$JS.API.CONSUMER.PAUSE."+at, "$JS.API.CONSUMER.UNPIN."+at, "$JS.ACK."+at+".1.1.1.1.0")
	}
	out = append(out, "$SYS.REQ.SERVER.PING", "$JS.API.ACCOUNT.PURGE.X", "_INBOX.someone.1", "_R_.x.y", "anything")
	for i, s := range out { // denied subjects may have wildcards
		out[i] = literal(s, "x1")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestEverythingElseIsRefusedToEachUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	streams, poller, gateway := f.probe(broker.StreamsAccount), f.probe("POLLER"), f.probe("GATEWAY")
	toPublish, toSubscribe := f.universe(broker.Publish), append(f.universe(broker.Subscribe), ">", "invoices.>", "orders.>", "$JS.>", "$SYS.>", "_R_.>")
	for _, r := range f.roles() {
		t.Run(r.Name, func(t *testing.T) {
			f := f.in(t)
			var refused violations
			nc := f.connect(r.Name, refused.handler())
			arrived := []*nats.Subscription{everything(t, streams), everything(t, poller), everything(t, gateway)}
			publish := withoutOwn(r, broker.Publish, toPublish)
			for i, s := range publish {
				if err := nc.Publish(s, []byte("x")); err != nil {
					t.Fatal(err)
				}
				if i%50 == 0 {
					flush(t, nc) // the broker answers each with an error, and drops a connection that does not read them
				}
			}
			subscribe := withoutOwn(r, broker.Subscribe, toSubscribe)
			for _, s := range subscribe {
				if _, err := nc.SubscribeSync(s); err != nil {
					t.Fatal(err)
				}
			}
			flush(t, nc, streams, poller, gateway)
			for _, s := range refused.await(append(publish, subscribe...)) {
				t.Errorf("%s was not refused", s)
			}
			for _, sub := range arrived {
				if n, _, err := sub.Pending(); err != nil || n > 0 {
					m, _ := sub.NextMsg(time.Second)
					t.Errorf("%d messages arrived (%v), the first on %s", n, err, m.Subject)
				}
				_ = sub.Unsubscribe()
			}
			t.Logf("refused: %d subjects to publish, %d to subscribe", len(publish), len(subscribe))
		})
	}
}

func withoutOwn(r broker.Role, k broker.Kind, all []string) []string {
	may := r.May()
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool {
		return may(k, s) || k == broker.Subscribe && strings.HasPrefix(s, "_INBOX.")
	})
}

func everything(t *testing.T, nc *nats.Conn) *nats.Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
	return sub
}

// A stolen key in words of our own, so that a mistake in the table does not hide itself.
func TestStolenPollerCanNotOrderRefundOrWriteOthersEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var refused violations
	nc := f.connect("poller", refused.handler())
	probe := jetStream(t, f.probe(broker.StreamsAccount))
	before := f.lastSeqs(probe)
	var all []string
	for _, e := range []string{"issued", "rejected", "receipted", "refunding", "refunded", "refund_failed", "refund_unknown"} {
		all = append(all, "invoices.acme.1001."+e)
	}
	all = append(all, "orders.acme.1001.placed", "orders.acme.1001.canceled", "orders.acme.1001.returned", "orders.acme.1001", "periods.acme.1.closing", "periods.acme.1.marked",
		"parked.refunder.acme.1001", "parked.invoicer.acme.1001", "hints.acme.1001", "issued.acme.1001", "$JS.API.CONSUMER.CREATE.INVOICES.own", "$JS.API.CONSUMER.CREATE.PARKED.own",
		"$JS.API.CONSUMER.MSG.NEXT.ORDERS.refunder", "$JS.ACK.ORDERS.refunder.1.1.1.1.0", "$JS.API.STREAM.PURGE.OPEN", "$JS.API.CONSUMER.DELETE.OPEN.poller")
	for _, s := range all {
		if err := nc.Publish(s, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, nc)
	for _, s := range refused.await(all) {
		t.Errorf("%s was not refused", s)
	}
	if after := f.lastSeqs(probe); after != before {
		t.Errorf("the streams were at %s and are at %s", before, after)
	}
}

// Who makes consumers could have the broker copy messages into another stream, though only under their own subjects.
func TestWhoMayMakeConsumers(t *testing.T) {
	t.Parallel()
	var got []string
	for _, r := range append(broker.Roles(connected), broker.ShopRole("acme")) {
		if may := r.May(); may(broker.Publish, "$JS.API.CONSUMER.CREATE.PERIODS.own") || may(broker.Publish, "$JS.API.CONSUMER.CREATE.PARKED.own") {
			got = append(got, r.Name)
		}
	}
	if want := []string{"reconciler", "reader", "operator", "provisioner"}; !slices.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
}
