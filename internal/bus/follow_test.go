package bus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func place(t *testing.T, b *bus.Bus, orders ...int) {
	t.Helper()
	for _, n := range orders {
		if err := b.PublishRaw(t.Context(), fmt.Sprintf("orders.acme.%d.placed", n), "", []byte(fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFollowBeginsWhereItIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source bus.Source
		want   string
	}{
		"now": {bus.Source{}, "4 5"},
		"all": {bus.Source{All: true}, "1 2 3 4 5"},
		"seq": {bus.Source{Seq: 3}, "3 4 5"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBus(t)
			place(t, b, 1, 2, 3)
			s := c.source
			s.Stream, s.Filters = events.OrdersStream, []string{"orders.acme.*.placed"}
			got := ""
			err := b.Follow(t.Context(), []bus.Source{s}, func() { place(t, b, 4, 5) }, func(e bus.Entry) error {
				if got += string(e.Body); string(e.Body) == "5" {
					return bus.ErrStop
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
	t.Parallel()
	b := newBus(t)
	ctx, cancel := context.WithCancel(t.Context())
	if err := b.Follow(ctx, []bus.Source{{Stream: events.OrdersStream}, {Stream: events.ParkedStream}}, cancel, func(bus.Entry) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestEntryIsJSONWhateverItsBody(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"a":1}`: `{"stream":"ORDERS","seq":7,"time":"0001-01-01T00:00:00Z","subject":"s","event":{"a":1}}`,
		`{"a`:     `{"stream":"ORDERS","seq":7,"time":"0001-01-01T00:00:00Z","subject":"s","text":"{\"a"}`,
	} {
		got, err := json.Marshal(bus.Entry{Message: events.Message{Subject: "s", Body: []byte(body)}, Stream: "ORDERS", Seq: 7})
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v", got, err)
		}
	}
}

// A broker that restarts, or that has not heard of a follower for long, forgets its consumer.
func TestFollowGoesOnWhenItsConsumerIsGone(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	place(t, b, 1)
	got := ""
	ready := func() {
		place(t, b, 2)
	}
	err := b.Follow(t.Context(), []bus.Source{{Stream: events.OrdersStream, Filters: []string{"orders.acme.*.placed"}, All: true}}, ready, func(e bus.Entry) error {
		got += string(e.Body)
		switch string(e.Body) {
		case "2":
			s, err := b.JetStream().Stream(t.Context(), events.OrdersStream)
			if err != nil {
				return err
			}
			for name := range s.ConsumerNames(t.Context()).Name() {
				if err := s.DeleteConsumer(t.Context(), name); err != nil {
					return err
				}
			}
			place(t, b, 3)
		case "3":
			return bus.ErrStop
		}
		return nil
	})
	if err != nil || got != "123" {
		t.Errorf("got %s, %v", got, err)
	}
}
