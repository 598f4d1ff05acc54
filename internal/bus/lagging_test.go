package bus_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// cluster is one broker that answers as a cluster may: what a stream's leader has stored, and what another broker has of it which leads
// a consumer, differ for a while. The functions change what is asked and answered, and keep its length.
type cluster struct {
	broker        nats.InProcessConnProvider
	asks, answers func([]byte) []byte
}

func (c cluster) InProcessConn() (net.Conn, error) {
	conn, err := c.broker.InProcessConn()
	return &clusterConn{Conn: conn, cluster: c}, err
}

type clusterConn struct {
	net.Conn
	cluster
	whole, part []byte // read: whole lines that were not given yet, and the beginning of one
}

func (c *clusterConn) Write(p []byte) (int, error) {
	_, err := c.Conn.Write(c.asks(bytes.Clone(p)))
	return len(p), err
}

func (c *clusterConn) Read(p []byte) (int, error) {
	for len(c.whole) == 0 {
		b := make([]byte, 64<<10)
		n, err := c.Conn.Read(b)
		if err != nil {
			return 0, err
		}
		c.part = append(c.part, b[:n]...)
		end := bytes.LastIndex(c.part, []byte("\r\n")) + len("\r\n")
		if end < len("\r\n") {
			continue
		}
		c.whole, c.part = c.answers(bytes.Clone(c.part[:end])), bytes.Clone(c.part[end:])
	}
	n := copy(p, c.whole)
	c.whole = c.whole[n:]
	return n, nil
}

// newCluster gives a bus on such a broker.
func newCluster(t *testing.T, asks, answers func([]byte) []byte) *bus.Bus {
	t.Helper()
	s, err := natsd.Start(t.Context(), natsd.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	var direct nats.Options
	if err := s.InProcess()(&direct); err != nil {
		t.Fatal(err)
	}
	b, err := bus.Connect(t.Context(), bus.Config{
		Name: "cluster", Options: []nats.Option{nats.InProcessServer(cluster{direct.InProcessServer, asks, answers})}, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// A message that the consumer delivers before the leader of its stream has stored it is not gone: it is handled, once the leader has it.
func TestMessageThatTheLeaderHasNotStoredYetIsHandledLater(t *testing.T) {
	t.Parallel()
	var lags atomic.Bool
	asked := make(chan struct{}, 10)
	b := newCluster(t, func(p []byte) []byte {
		if !lags.Load() || !bytes.Contains(p, []byte("GET.ORDERS")) || !bytes.Contains(p, []byte(`{"seq":1}`)) {
			return p
		}
		asked <- struct{}{}
		return bytes.ReplaceAll(p, []byte(`{"seq":1}`), []byte(`{"seq":9}`)) // which is not there
	}, func(p []byte) []byte {
		if lags.Load() {
			p = bytes.ReplaceAll(p, []byte(`"last_seq":1,`), []byte(`"last_seq":0,`))
		}
		return p
	})
	lags.Store(true)
	if err := b.PublishRaw(t.Context(), "orders.acme.1.placed", "", []byte("an order")); err != nil {
		t.Fatal(err)
	}
	handled := make(chan bus.Delivery, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- b.Work(ctx, consumer("invoicer"), func(_ context.Context, d bus.Delivery) bus.Outcome { handled <- d; return bus.Done })
	}()
	for range 2 { // the second time it was given back, and came again
		select {
		case <-asked:
		case <-handled:
			t.Fatal("the message was handled before the leader had it")
		case <-time.After(patience):
			t.Fatal("the message does not come again")
		}
	}
	lags.Store(false)
	if d := <-handled; string(d.Body) != "an order" || d.Subject != "orders.acme.1.placed" {
		t.Errorf("handled %+v", d)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A scan reads up to the last message that the leader of the stream had when it began, also when the broker that leads its consumer has
// fewer messages for a while.
func TestScanReadsWhatItsConsumerDoesNotHaveYet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer *regexp.Regexp // whose number of messages that are left is none
		since  time.Duration
	}{
		"some messages": {answer: regexp.MustCompile(`(\$JS\.ACK\.INVOICES\.\S+\.)[1-9]( )`)},
		"all messages":  {answer: regexp.MustCompile(`("num_pending":)[1-9](,)`)},
		"all since":     {answer: regexp.MustCompile(`("num_pending":)[1-9](,)`), since: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			var lags atomic.Int32
			b := newCluster(t, func(p []byte) []byte { return p }, func(p []byte) []byte {
				if c.answer.Match(p) && lags.Add(-1) >= 0 {
					p = c.answer.ReplaceAll(p, []byte("${1}0${2}"))
				}
				return p
			})
			for _, id := range []string{"1", "2", "3"} {
				if _, err := b.Update(t.Context(), "invoicer", events.KeyOf("acme", id), issue("acme", id)); err != nil {
					t.Fatal(err)
				}
			}
			lags.Store(2)
			s := bus.Scan{Stream: events.InvoicesStream}
			if c.since > 0 {
				s.Since = time.Now().Add(-c.since)
			}
			var got []uint64
			if _, err := b.Scan(t.Context(), s, func(e bus.Entry) error { got = append(got, e.Seq); return nil }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, []uint64{1, 2, 3}) || lags.Load() > 0 {
				t.Errorf("read the messages %v; the consumer had fewer %d times less than expected", got, lags.Load())
			}
		})
	}
}

// While a stream has no leader, and while a broker starts, a broker that is not its leader may tell of the stream what it has stored
// itself. That the stream has less than was acknowledged is then no sign of a restored backup, which would put refunds in doubt.
func TestBrokerThatDoesNotLeadAStreamIsNotBelieved(t *testing.T) {
	t.Parallel()
	told := regexp.MustCompile(`"description":"[^"]*"(.*)"cluster":\{"leader":"[^"]*"\}`)
	for name, cluster := range map[string]string{
		"no leader":      `"cluster":{}`,
		"another leader": `"cluster":{"leader":"a","replicas":[{"name":"a"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			var lags atomic.Int32
			b := newCluster(t, func(p []byte) []byte { return p }, func(p []byte) []byte {
				if !bytes.Contains(p, []byte(`"last_seq":2,`)) || lags.Add(-1) < 0 {
					return p
				}
				p = bytes.ReplaceAll(p, []byte(`"last_seq":2,`), []byte(`"last_seq":1,`))
				return told.ReplaceAllFunc(p, func(was []byte) []byte {
					return fmt.Appendf(nil, "%-*s", len(was), told.ReplaceAllString(string(was), `"description":""${1}`+cluster))
				})
			})
			for _, id := range []string{"1", "2"} {
				if _, err := b.Update(t.Context(), "invoicer", events.KeyOf("acme", id), issue("acme", id)); err != nil {
					t.Fatal(err)
				}
			}
			lags.Store(3)
			if at, err := b.RestoredAt(t.Context()); err != nil || !at.IsZero() {
				t.Errorf("restored at %s, %v", at, err)
			}
			if last, err := b.LastSeq(t.Context(), events.InvoicesStream); err != nil || last != 2 || lags.Load() >= 0 {
				t.Errorf("the last message is %d, %v; %d answers were not needed", last, err, lags.Load())
			}
		})
	}
}

// A follower misses no message that its consumer's broker has stored and the leader of the stream has not: such a consumer begins after it.
func TestFollowMissesNothingThatTheLeaderHasNotStoredYet(t *testing.T) {
	t.Parallel()
	var lags atomic.Int32
	b := newCluster(t, func(p []byte) []byte { return p }, func(p []byte) []byte {
		if bytes.Contains(p, []byte(`"last_seq":3,`)) && lags.Add(-1) >= 0 {
			p = bytes.ReplaceAll(p, []byte(`"last_seq":3,`), []byte(`"last_seq":2,`))
		}
		return p
	})
	for _, id := range []string{"1", "2", "3"} {
		if _, err := b.Update(t.Context(), "invoicer", events.KeyOf("acme", id), issue("acme", id)); err != nil {
			t.Fatal(err)
		}
	}
	lags.Store(3) // when it is looked what is there, when that is scanned, and when the consumer is made
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []uint64
	err := b.Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, All: true}}, nil, func(e bus.Entry) error {
		if got = append(got, e.Seq); len(got) == 3 {
			return bus.ErrStop
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []uint64{1, 2, 3}) || lags.Load() > 0 {
		t.Errorf("got %v, %v; the leader had fewer %d times less than expected", got, err, lags.Load())
	}
}

// A publish that was not acknowledged in time is repeated, and a cluster may be storing the first one still. That is no failure: the event
// is recorded, once.
func TestPublishThatIsBeingStoredIsAwaited(t *testing.T) {
	t.Parallel()
	answers := []string{ // to the publish and to the first repetition
		`{"error":{"code":503}}`, `{"error":{"code":409,"err_code":10158}}`,
	}
	ack := regexp.MustCompile(`\{"stream": ?"INVOICES",[^{}]*\}`)
	var lags atomic.Int32
	lags.Store(int32(len(answers)))
	b := newCluster(t, func(p []byte) []byte { return p }, func(p []byte) []byte {
		return ack.ReplaceAllFunc(p, func(was []byte) []byte {
			n := lags.Add(-1)
			if n < 0 {
				return was
			}
			return fmt.Appendf(nil, "%-*s", len(was), answers[len(answers)-1-int(n)])
		})
	})
	if err := b.PublishRaw(t.Context(), "invoices.acme.1.issued", "an id", []byte("an event")); err != nil || lags.Load() >= 0 {
		t.Errorf("%v; %d answers were not needed", err, lags.Load()+1)
	}
	if last, err := b.LastSeq(t.Context(), events.InvoicesStream); err != nil || last != 1 {
		t.Errorf("%d events, %v", last, err)
	}
}

// The broker has stored a publish before it was repeated, and then cannot say at once what it has stored under that id. That is no failure.
func TestPublishThatIsStoredAlreadyIsAwaited(t *testing.T) {
	t.Parallel()
	ack, get := regexp.MustCompile(`\{"stream":"INVOICES","seq":1\}`), []byte("GET.INVOICES")
	var lost, failed atomic.Bool
	b := newCluster(t, func(p []byte) []byte {
		if lost.Load() && bytes.Contains(p, get) && !failed.Swap(true) {
			p = bytes.ReplaceAll(p, get, []byte("GET.INVOICEX")) // which nobody answers
		}
		return p
	}, func(p []byte) []byte {
		if ack.Match(p) && !lost.Swap(true) {
			p = ack.ReplaceAllFunc(p, func(was []byte) []byte { return fmt.Appendf(nil, "%-*s", len(was), `{"error":{"code":503}}`) })
		}
		return p
	})
	if err := b.PublishRaw(t.Context(), "invoices.acme.1.issued", "an id", []byte("an event")); err != nil || !lost.Load() || !failed.Load() {
		t.Errorf("%v; an acknowledgement was lost: %v, a request failed: %v", err, lost.Load(), failed.Load())
	}
}
