package doors

import (
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// targets are subjects that an answer of the broker must not be stored on.
var targets = []string{
	"orders.other.1001.placed", "orders.other.1001.returned", "invoices.other.1001.paid", "invoices.other.1001.refunded", "invoices.other.1001.issued",
	"periods.other.1.closing", "parked.refunder.other.1001", "parked.invoicer.other.1001", "open.other.1001", "exchanges.other.1001.x",
}

// Without the accounts, a right to publish one subject is a right to publish them all: this is what the others hold.
func TestInOneAccountAnAnswerIsStoredWhereItsReplySubjectSays(t *testing.T) {
	t.Parallel()
	s := run(t, &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: filepath.Join(t.TempDir(), "streams"),
		Users: []*server.User{
			{Username: "all", Password: "p"},
			{Username: "acme", Password: "p", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: []string{"orders.acme.>"}}, Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			}},
		},
	})
	connect := func(user string) *nats.Conn {
		nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, "p"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	js := jetStream(t, connect("all"))
	for _, c := range streamConfigs() {
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	acme := connect("acme")
	attack(t, acme, "orders.acme.1.placed", "invoices.other.1001.paid")
	if _, err := jetStream(t, acme).Publish(t.Context(), "orders.acme.2.placed", nil); err != nil { // answered after the attack
		t.Fatal(err)
	}
	last, err := js.Publish(t.Context(), "invoices.other.1002.issued", nil) // stored after what the attack has stored
	if err != nil {
		t.Fatal(err)
	}
	if n := last.Sequence - 1; n != 1 {
		t.Errorf("INVOICES has %d messages of the attack: has the server changed, and are the accounts still needed?", n)
	}
}

func attack(t *testing.T, nc *nats.Conn, subject, reply string) {
	t.Helper()
	if err := nc.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Data: []byte(`{"seq":1}`), Header: nats.Header{"Nats-Trace-Dest": {reply}}}); err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest(subject, reply, nil); err != nil {
		t.Fatal(err)
	}
}

// Every request that a user may make is made with the reply subject of an attacker.
func TestAnswersAreStoredNowhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	probeConn := f.probe(broker.StreamsAccount)
	probe := jetStream(t, probeConn)
	for _, r := range f.roles() {
		t.Run(r.Name, func(t *testing.T) {
			f := f.in(t)
			nc := f.connect(r.Name)
			may := r.May()
			arrived := map[string]*nats.Subscription{}
			for _, to := range targets {
				if may(broker.Publish, to) {
					continue // it may write there without any trick
				}
				sub, err := probeConn.SubscribeSync(to)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = sub.Unsubscribe() }()
				arrived[to] = sub
			}
			flush(t, probeConn)
			n := 0
			for _, right := range r.Rights() {
				if right.Kind != broker.Publish {
					continue
				}
				for _, to := range targets {
					attack(t, nc, literal(right.Subject, "x1"), to)
					n += 2
				}
			}
			flush(t, nc)
			f.answered(probe)
			flush(t, probeConn)
			for to, sub := range arrived {
				if have, _, err := sub.Pending(); have > 0 || err != nil {
					m, _ := sub.NextMsg(answerTimeout)
					t.Errorf("%d messages on %s (%v), the first: %q", have, to, err, m.Data)
				}
			}
			t.Logf("%d requests", n)
		})
	}
}

// answered waits until the broker has answered what was asked before: each stream answers in order.
func (f *fixture) answered(probe jetstream.JetStream) {
	f.Helper()
	for _, c := range streamConfigs() {
		if _, err := probe.Publish(f.Context(), literal(c.Subjects[0], "fence"+nuid.Next()), nil); err != nil {
			f.Fatal(err)
		}
		s, err := probe.Stream(f.Context(), c.Name)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := s.GetLastMsgForSubject(f.Context(), c.Subjects[0]); err != nil {
			f.Fatal(err)
		}
	}
}

// The subject of the request is what was permitted, and the body says another consumer.
func TestAnothersConsumerCanNotBeChangedUnderAFreeName(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	probe := jetStream(t, f.probe(broker.StreamsAccount))
	nc := f.connect("reader")
	config := func() string {
		c, err := probe.Consumer(t.Context(), events.OrdersStream, "invoicer")
		if err != nil {
			t.Fatal(err)
		}
		return string(encode(c.CachedInfo().Config))
	}
	before := config()
	for _, body := range []map[string]any{
		{"durable_name": "invoicer", "name": "invoicer"}, {"durable_name": "invoicer"}, {"name": "invoicer"}, {"durable_name": "invoicer", "name": "own"}, {"name": "own", "durable_name": "own"},
	} {
		body["ack_policy"], body["max_deliver"] = "explicit", 1
		for _, subject := range []string{"$JS.API.CONSUMER.CREATE.ORDERS.own", "$JS.API.CONSUMER.CREATE.ORDERS.own.orders.>"} {
			m, err := nc.Request(subject, encode(map[string]any{"stream_name": "ORDERS", "config": body}), answerTimeout)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Data) == 0 {
				t.Errorf("%s with %v: an empty answer", subject, body)
			}
		}
	}
	if after := config(); after != before {
		t.Errorf("the invoicer's consumer was %s and is %s", before, after)
	}
}
