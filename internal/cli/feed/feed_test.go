package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/feed"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBus(t *testing.T) *bus.Bus {
	t.Helper()
	s, err := natsd.Start(natsd.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b, err := bus.Connect(t.Context(), bus.Config{Name: "test", Options: []nats.Option{s.InProcess()}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func place(t *testing.T, b *bus.Bus, orders ...int) {
	t.Helper()
	for _, n := range orders {
		if err := b.PublishRaw(t.Context(), fmt.Sprintf("orders.acme.%d.placed", n), "", []byte(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEachGivesOnlyWhatMatchesInOrder(t *testing.T) {
	b := newBus(t)
	place(t, b, 1, 2, 1, 3, 1)
	var seqs []uint64
	err := feed.Each(t.Context(), b, events.OrdersStream, "orders.acme.1.*", 2, func(e feed.Entry) error {
		seqs = append(seqs, e.Seq)
		return nil
	})
	if err != nil || fmt.Sprint(seqs) != "[3 5]" {
		t.Fatalf("got %v, %v", seqs, err)
	}
	stop := errors.New("stop")
	if err := feed.Each(t.Context(), b, events.OrdersStream, "orders.>", 1, func(feed.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of take is %v", err)
	}
	if e, err := feed.At(t.Context(), b, events.OrdersStream, 4); err != nil || string(e.Body) != "3" {
		t.Errorf("message 4 is %s, %v", e.Body, err)
	}
	if _, err := feed.At(t.Context(), b, events.OrdersStream, 99); err == nil {
		t.Error("a message that is not there was found")
	}
}

func TestFollowBeginsWhereItIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		source feed.Source
		want   string
	}{
		"now": {feed.Source{}, "4 5"},
		"all": {feed.Source{All: true}, "1 2 3 4 5"},
		"seq": {feed.Source{Seq: 3}, "3 4 5"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBus(t)
			place(t, b, 1, 2, 3)
			s := c.source
			s.Stream, s.Filters = events.OrdersStream, []string{"orders.acme.*.placed"}
			got := ""
			err := feed.Follow(t.Context(), b, []feed.Source{s}, func() { place(t, b, 4, 5) }, func(e feed.Entry) error {
				if got += string(e.Body); string(e.Body) == "5" {
					return feed.ErrStop
				}
				got += " "
				return nil
			})
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; expected %q", got, err, c.want)
			}
		})
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	b := newBus(t)
	ctx, cancel := context.WithCancel(t.Context())
	if err := feed.Follow(ctx, b, []feed.Source{{Stream: events.OrdersStream}, {Stream: events.ParkedStream}}, cancel, func(feed.Entry) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestEntryIsJSONWhateverItsBody(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":1}`: `{"stream":"ORDERS","seq":7,"time":"0001-01-01T00:00:00Z","subject":"s","event":{"a":1}}`,
		`{"a`:     `{"stream":"ORDERS","seq":7,"time":"0001-01-01T00:00:00Z","subject":"s","text":"{\"a"}`,
	} {
		got, err := json.Marshal(feed.Entry{Stream: "ORDERS", Seq: 7, Subject: "s", Body: []byte(body)})
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v", got, err)
		}
	}
}
