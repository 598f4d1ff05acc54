package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// invoice is what the last event of an invoice says, read as a stranger to our code would.
type invoice struct {
	OrderID          string `json:"orderId"`
	State            string `json:"state"`
	Total            string `json:"total"`
	InvoiceReference string `json:"invoiceReference"`
	ErsReference     string `json:"ersReference"`
	Refunded         string `json:"refunded"`
}

// events follows the stream of invoices.
type events struct {
	conn   *nats.Conn
	js     jetstream.JetStream
	stop   func()
	mu     sync.Mutex
	last   map[string]invoice // by order
	failed error
	news   chan struct{} // holds one signal: something has come since it was taken
}

func follow(ctx context.Context, u user) (*events, error) {
	conn, err := u.connect(nats.MaxReconnects(-1))
	if err != nil {
		return nil, fmt.Errorf("broker %s: %w", u.url, err)
	}
	e := &events{conn: conn, last: map[string]invoice{}, news: make(chan struct{}, 1)}
	if e.js, err = jetstream.New(conn); err != nil {
		return nil, err
	}
	consumer, err := e.js.OrderedConsumer(ctx, "INVOICES", jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, fmt.Errorf("stream INVOICES: %w", err)
	}
	consuming, err := consumer.Consume(e.take)
	if err != nil {
		return nil, fmt.Errorf("stream INVOICES: %w", err)
	}
	e.stop = consuming.Stop
	return e, nil
}

func (e *events) close() {
	e.stop()
	e.conn.Close()
}

func (e *events) take(m jetstream.Msg) {
	var event struct {
		Data invoice `json:"data"`
	}
	err := json.Unmarshal(m.Data(), &event)
	e.mu.Lock()
	if err != nil {
		e.failed = fmt.Errorf("%s: %w", m.Subject(), err)
	}
	e.last[event.Data.OrderID] = event.Data
	e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
}

func (e *events) of(n int) invoice {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last[orderID(n)]
}

// condition names the orders that do not meet it yet.
type condition func(*events) (missing []string)

func in(state string, groups ...[]int) condition {
	return func(e *events) (missing []string) {
		for _, n := range slices.Concat(groups...) {
			if got := e.of(n).State; got != state {
				missing = append(missing, fmt.Sprintf("%s is %q, not %s", orderID(n), got, state))
			}
		}
		return missing
	}
}

func refunded(n int, amount string) condition {
	return func(e *events) []string {
		if got := e.of(n).Refunded; got != amount {
			return []string{fmt.Sprintf("%s has %q refunded, not %s", orderID(n), got, amount)}
		}
		return nil
	}
}

func allOf(conditions ...condition) condition {
	return func(e *events) (missing []string) {
		for _, c := range conditions {
			missing = append(missing, c(e)...)
		}
		return missing
	}
}

// await returns when the condition is met; every event may be the one that meets it.
func (e *events) await(ctx context.Context, until condition) error {
	for {
		missing := until(e)
		e.mu.Lock()
		failed := e.failed
		e.mu.Unlock()
		if failed != nil || len(missing) == 0 {
			return failed
		}
		select {
		case <-e.news:
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting: %s", strings.Join(missing, "; "))
		}
	}
}

func (e *events) nothingParked(ctx context.Context) error {
	parked, err := e.js.Stream(ctx, "PARKED")
	if err != nil {
		return fmt.Errorf("stream PARKED: %w", err)
	}
	if n := parked.CachedInfo().State.Msgs; n != 0 {
		return fmt.Errorf("%d messages are parked", n)
	}
	return nil
}
