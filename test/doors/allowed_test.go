package doors

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/bus"
)

const answerTimeout = 5 * time.Second

func TestEachUserHasItsRights(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, r := range f.roles() {
		t.Run(r.Name, func(t *testing.T) {
			f := f.in(t)
			nc := f.connect(r.Name, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { t.Error(err) }))
			for i, right := range r.Rights() {
				token := fmt.Sprintf("%s-%d", r.Name, i)
				var err error
				switch {
				case strings.HasPrefix(right.Subject, bus.ServingPrefix): // both kinds: the copies of a worker hear each other
					err = passes(f.connect(r.Name), nc, right.Subject, right.Subject)
					err = errors.Join(err, passes(nc, f.connect(r.Name), right.Subject, right.Subject))
				case right.Kind == broker.Subscribe:
					err = f.hears(nc, right.Subject, token)
				case strings.HasPrefix(right.Subject, "$JS.ACK."):
					err = f.acknowledges(nc, right.Subject, token)
				case strings.HasPrefix(right.Subject, "$JS.API."):
					err = f.isAnswered(nc, right.Subject, token)
				case home(right.Subject) == broker.StreamsAccount && !bus.AboutStuck(right.Subject):
					_, err = jetStream(t, nc).Publish(t.Context(), literal(right.Subject, token), []byte("x"))
				default:
					err = f.isHeard(nc, right.Subject, token)
				}
				if err != nil {
					t.Errorf("%s %s: %v", right.Kind, right.Subject, err)
				}
			}
			flush(t, nc)
		})
	}
}

// home is the account where a subject's publishers and subscribers meet.
func home(subject string) string {
	if strings.HasPrefix(subject, "hints.") || strings.HasPrefix(subject, "issued.") || strings.HasPrefix(subject, "watching.") {
		return "POLLER"
	}
	if strings.HasPrefix(subject, bus.IncomingPrefix) {
		return "GATEWAY"
	}
	return broker.StreamsAccount
}

// hears says whether what others publish arrives.
func (f *fixture) hears(nc *nats.Conn, subject, token string) error {
	if strings.HasPrefix(subject, "invoices.") {
		event := strings.TrimSuffix(literal(strings.Replace(subject, ">", "*.*", 1), token), token) + "paid"
		return passes(f.connect("poller"), nc, subject, event)
	}
	if subject == bus.ToldSubjects {
		return passes(f.connect("invoicer"), nc, subject, literal(bus.ToldSubjectsOf("invoicer"), token))
	}
	if subject == bus.StuckSubjects {
		return errors.Join(passes(f.connect("reader"), nc, subject, literal(subject, token)), passes(f.connect("operator"), nc, subject, literal(subject, token)))
	}
	return passes(f.probe(home(subject)), nc, subject, literal(subject, token))
}

// isHeard says whether others hear what it publishes.
func (f *fixture) isHeard(nc *nats.Conn, subject, token string) error {
	if subject == bus.StuckSubjects {
		return passes(nc, f.connect("invoicer"), subject, literal(subject, token))
	}
	if bus.AboutStuck(subject) {
		return passes(nc, f.connect("reader"), bus.ToldSubjects, literal(subject, token))
	}
	return passes(nc, f.probe(home(subject)), subject, literal(subject, token))
}

func passes(from, to *nats.Conn, pattern, subject string) error {
	sub, err := to.SubscribeSync(pattern)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := to.Flush(); err != nil {
		return err
	}
	if err := from.Publish(subject, []byte("x")); err != nil {
		return err
	}
	m, err := sub.NextMsg(answerTimeout)
	if err == nil && m.Subject != subject {
		err = fmt.Errorf("arrived as %s", m.Subject)
	}
	return err
}

// acknowledges takes a message of the consumer that the subject names, and waits for the broker's word that it
// was acknowledged.
func (f *fixture) acknowledges(nc *nats.Conn, subject, token string) error {
	part := strings.Split(subject, ".")
	stream, name := part[2], part[3]
	for _, d := range broker.Durables(connected) {
		if d.Name == name {
			if _, err := jetStream(f, f.probe(broker.StreamsAccount)).Publish(f.Context(), literal(d.Filters[0], token), nil); err != nil {
				return err
			}
		}
	}
	c, err := jetStream(f, nc).Consumer(f.Context(), stream, name)
	if err != nil {
		return err
	}
	m, err := c.Next()
	if err != nil {
		return err
	}
	return m.DoubleAck(f.Context())
}

// isAnswered says whether the broker does what is asked.
func (f *fixture) isAnswered(nc *nats.Conn, subject, token string) error {
	request, body := f.apiRequest(subject, token)
	m, err := nc.Request(request, body, answerTimeout)
	if err != nil {
		return err
	}
	if status := m.Header.Get("Status"); status != "" && status != "404" {
		return fmt.Errorf("%s: status %s %s", request, status, m.Header.Get("Description"))
	}
	var answer struct {
		Error *struct{ Description string } `json:"error"`
	}
	if json.Unmarshal(m.Data, &answer) == nil && answer.Error != nil {
		return fmt.Errorf("%s: %s", request, answer.Error.Description)
	}
	return nil
}

// apiRequest makes what a request of the API asks about, and gives the request. A stream that the right leaves
// open is one of the test's own.
func (f *fixture) apiRequest(subject, token string) (request string, body []byte) {
	js := jetStream(f, f.probe(broker.StreamsAccount))
	verb, rest := apiVerb(subject)
	stream, target, _ := strings.Cut(rest, ".")
	if stream == "*" {
		stream = "OWN-" + token
		if verb != "STREAM.CREATE" {
			if _, err := js.CreateStream(f.Context(), jetstream.StreamConfig{Name: stream, Subjects: []string{"own." + token}}); err != nil {
				f.Fatal(err)
			}
		}
	}
	consumer := map[string]any{"name": "own", "ack_policy": "none", "mem_storage": true, "inactive_threshold": time.Minute}
	switch verb {
	case "STREAM.CREATE", "STREAM.UPDATE":
		return "$JS.API." + verb + "." + stream, encode(map[string]any{"name": stream, "subjects": []string{"own." + token}, "storage": "file", "retention": "limits"})
	case "CONSUMER.CREATE":
		request = "$JS.API." + verb + "." + stream + ".own"
		if strings.HasSuffix(target, ".>") {
			request += ".own." + token
			consumer["filter_subject"] = "own." + token
		}
		return request, encode(map[string]any{"stream_name": stream, "config": consumer})
	case "CONSUMER.INFO", "CONSUMER.DELETE", "CONSUMER.MSG.NEXT":
		if target == "*" {
			if _, err := js.CreateOrUpdateConsumer(f.Context(), stream, jetstream.ConsumerConfig{Name: "own", AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: time.Minute}); err != nil {
				f.Fatal(err)
			}
		}
		request = literal("$JS.API."+verb+"."+stream+"."+target, "own")
		if verb == "CONSUMER.MSG.NEXT" {
			body = encode(map[string]any{"batch": 1, "no_wait": true})
		}
		return request, body
	case "STREAM.MSG.GET", "DIRECT.GET":
		at := literal(subjectsOf(stream), token)
		if target != "" && target != ">" {
			at = literal(target, token) + ".paid"
		}
		if _, err := js.Publish(f.Context(), at, nil); err != nil {
			f.Fatal(err)
		}
		if target != "" {
			return "$JS.API." + verb + "." + stream + "." + at, nil
		}
		return subject, encode(map[string]any{"last_by_subj": at})
	}
	return strings.Replace(subject, "*", stream, 1), nil
}

// apiVerb takes the verb of an API subject from what it is about.
func apiVerb(subject string) (verb, rest string) {
	rest = strings.TrimPrefix(subject, "$JS.API.")
	for _, v := range []string{"CONSUMER.MSG.NEXT", "STREAM.MSG.GET"} {
		if after, ok := strings.CutPrefix(rest, v+"."); ok {
			return v, after
		}
	}
	t := strings.SplitN(rest, ".", 3)
	if len(t) < 3 {
		return rest, ""
	}
	return t[0] + "." + t[1], t[2]
}

func subjectsOf(stream string) string {
	for _, c := range streamConfigs() {
		if c.Name == stream {
			return c.Subjects[0]
		}
	}
	panic("no stream " + stream)
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// The broker's own word that it has given up on a message reaches the worker.
func TestWorkerHearsWhatTheBrokerGaveUpOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	nc := f.connect("invoicer")
	sub, err := nc.QueueSubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.ORDERS.invoicer", "copies")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
	c, err := jetStream(t, nc).Consumer(t.Context(), "ORDERS", "invoicer")
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.TermWithReason("test"); err != nil {
		t.Fatal(err)
	}
	heard, err := sub.NextMsg(answerTimeout)
	if err != nil || !strings.Contains(string(heard.Data), `"reason":"test"`) {
		t.Errorf("heard %v, %v", heard, err)
	}
}

// Readers follow a stream with consumers of their own, filtered or not, and remove them.
func TestReaderFollowsStreams(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, user := range []string{"reader", "operator", "reconciler"} {
		js := jetStream(t, f.connect(user))
		for _, filter := range [][]string{nil, {"invoices.*.*.first"}, {"invoices.*.*.first", "invoices.*.*.paid"}} {
			c, err := js.OrderedConsumer(t.Context(), "INVOICES", jetstream.OrderedConsumerConfig{FilterSubjects: filter})
			if err != nil {
				t.Fatalf("%s: %v", user, err)
			}
			m, err := c.Next()
			if err != nil || m.Subject() != "invoices.first.first.first" {
				t.Errorf("%s: %v, %v", user, m, err)
			}
			if err := js.DeleteConsumer(t.Context(), "INVOICES", c.CachedInfo().Name); err != nil {
				t.Errorf("%s: %v", user, err)
			}
		}
	}
}
