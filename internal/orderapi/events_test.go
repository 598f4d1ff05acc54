package orderapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderapi"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// stream is an open stream of events.
type stream struct {
	f      fixture
	status int
	lines  *bufio.Scanner
	end    func()
}

// open opens a stream.
func (f fixture) open(last string) stream {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(f.T.Context(), rig.Patience)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL+"/v1/shops/acme/events", nil)
	if err != nil {
		f.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.T.Fatal(err)
	}
	s := stream{f, resp.StatusCode, bufio.NewScanner(resp.Body), func() { cancel(); resp.Body.Close() }}
	f.T.Cleanup(s.end)
	return s
}

// next reads one event: its id and what it says, which is "alive" or the invoice's id and the event's name.
func (s stream) next() (id, says string) {
	s.f.T.Helper()
	for s.lines.Scan() {
		if v, ok := strings.CutPrefix(s.lines.Text(), "id: "); ok {
			id = v
		}
		data, ok := strings.CutPrefix(s.lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e orderapi.InvoiceEvent
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			s.f.T.Fatal(err)
		}
		if e.Event == "" {
			return id, "alive"
		}
		return id, e.Order.InvoiceID + " " + e.Event
	}
	s.f.T.Fatalf("the stream has ended: %v", s.lines.Err())
	return "", ""
}

// expect reads events until one is of an invoice, and compares it. It gives the id.
func (s stream) expect(want string) (id string) {
	s.f.T.Helper()
	id, says := s.next()
	for says == "alive" && want != "alive" {
		id, says = s.next()
	}
	if says != want {
		s.f.T.Errorf("the stream says %q; want %q", says, want)
	}
	return id
}

func TestAStreamGoesOnWithoutLoss(t *testing.T) {
	f := start(t)
	f.Record(rig.Recorded{ID: "1", Reference: "r1"})
	f.Record(rig.Recorded{ID: "2", Reference: "r2", Shop: "beta"})
	f.Record(rig.Recorded{ID: "3", Reference: "r3"})
	if last := f.open("0").expect("1 issued"); last != "1" {
		t.Errorf("the first event has the id %s", last)
	}
	after := f.open("1")
	if last := after.expect("3 issued"); last != "3" { // the other shop's is not ours
		t.Errorf("the second event of the shop has the id %s", last)
	}
	f.Record(rig.Recorded{ID: "4", Reference: "r4"})
	after.expect("4 issued")
	f.open("3").expect("4 issued")
	if code, text := f.problem("GET", "/v1/shops/acme/events?x=1", ""); code != 422 {
		t.Errorf("an unknown parameter: %d %s", code, text)
	}
}

// A client that is cut off before the first invoice has an id to go on with.
func TestAStreamBeginsWithTheIDThatItBeginsAfter(t *testing.T) {
	f := start(t)
	f.Record(rig.Recorded{ID: "1", Reference: "r1"})
	s := f.open("")
	id := s.expect("alive")
	s.end()
	f.Record(rig.Recorded{ID: "2", Reference: "r2"})
	f.open(id).expect("2 issued")
}

// After a restore of the broker a client may have an id that is yet to come. It must not wait for that in silence.
func TestAnIDThatIsNotThereIsRefused(t *testing.T) {
	f := start(t)
	f.Record(rig.Recorded{ID: "1", Reference: "r1"})
	for _, id := range []string{"2", "99999999999999999999", "x", "-1"} {
		if s := f.open(id); s.status != http.StatusUnprocessableEntity {
			t.Errorf("after the event %s: %d", id, s.status)
		}
	}
}

// The leader of the stream may store an event a moment after another broker has given it to the client.
func TestAnIDThatIsAheadOfTheLeaderIsAwaited(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	var asked atomic.Int32
	var begun atomic.Bool
	again, recorded := make(chan struct{}), make(chan struct{})
	w := &way{broker: r.NATS, asks: func(p []byte) {
		if begun.Load() && bytes.Contains(p, []byte("STREAM.INFO.INVOICES")) && asked.Add(1) == 2 {
			close(again)
			<-recorded
		}
	}}
	f := serve(r, orderapi.Config{Bus: r.ConnectWith(bus.Config{Options: w.options()})})
	f.Record(rig.Recorded{ID: "1", Reference: "r1"})
	f.open("").expect("alive") // from here on a stream asks the leader once
	begun.Store(true)
	go func() {
		defer close(recorded)
		<-again
		f.Record(rig.Recorded{ID: "2", Reference: "r2"})
	}()
	s := f.open("2")
	if s.status != http.StatusOK || asked.Load() < 2 {
		t.Fatalf("after the event 2: %d, the leader was asked %d times", s.status, asked.Load())
	}
	if id := s.expect("alive"); id != "2" {
		t.Errorf("the stream begins after %s", id)
	}
	f.Record(rig.Recorded{ID: "3", Reference: "r3"})
	s.expect("3 issued")
}

func TestAShopHasFewStreams(t *testing.T) {
	f := startWith(t, orderapi.Config{Streams: 2})
	one, two := f.open(""), f.open("")
	if s := f.open(""); one.status != http.StatusOK || two.status != http.StatusOK || s.status != http.StatusTooManyRequests {
		t.Errorf("three streams: %d, %d, %d", one.status, two.status, s.status)
	}
	one.end()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	if missing := rig.Until(ctx, func(context.Context) string {
		if s := f.open(""); s.status != http.StatusOK {
			return fmt.Sprint(s.status)
		}
		return ""
	}); missing != "" {
		t.Errorf("after one has ended: %s", missing)
	}
}

// While the broker is away, requests are answered without its errors, and an open stream stays and misses nothing.
func TestABrokerThatIsAway(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	w := &way{broker: r.NATS}
	f := serve(r, orderapi.Config{Bus: r.ConnectWith(bus.Config{Options: w.options()})})
	s := f.open("")
	s.expect("alive")
	w.cut(true)
	f.Record(rig.Recorded{ID: "1", Reference: "r1"})
	if code, text := f.problem("POST", orders, order("2", "10.00")); code != http.StatusServiceUnavailable || text != "the broker did not answer in time; try again" {
		t.Errorf("place: %d %q", code, text)
	}
	if s := f.open(""); s.status != http.StatusServiceUnavailable {
		t.Errorf("a new stream: %d", s.status)
	}
	w.cut(false)
	s.expect("1 issued")
}
