package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/webhook"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// life is what happens to each invoice that a receiver is told of, in this order.
var life = []events.Name{events.EventIssued, events.EventPaid, events.EventReceipted}

const lookEvery = 5 * time.Millisecond

// receiver is a shop's system that takes signed webhooks about invoices, and keeps what it was told. It is safe for concurrent use.
type receiver struct {
	secret *webhook.Inbound
	url    string
	server *http.Server
	served chan error

	mu         sync.Mutex
	invoices   map[string]told
	first      time.Time // when it was told of the first event
	events     int       // that it was told of, each counted once
	repeated   int
	outOfOrder int   // events that it was told of before an earlier event of the same invoice
	wrong      error // of the first request that it refused: the notifier sends a refused event no more
}

// told is what a receiver was told of an invoice.
type told struct {
	steps uint8     // a bit for each event of life
	at    time.Time // of the first event
}

// newReceiver makes a receiver that does not listen yet. Its webhooks are signed with the secret.
func newReceiver(secret string) (*receiver, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	in, err := webhook.NewInbound([]string{secret})
	r := &receiver{secret: in, url: "http://" + address + "/", invoices: map[string]told{}}
	r.server = &http.Server{Addr: address, Handler: r, ReadHeaderTimeout: patience}
	return r, err
}

// listen begins to take connections.
func (r *receiver) listen() error {
	l, err := net.Listen("tcp", r.server.Addr)
	if err != nil {
		return err
	}
	r.served = make(chan error, 1)
	go func() { r.served <- r.server.Serve(l) }()
	return nil
}

// close ends the connections. It is for receivers that never listened, too.
func (r *receiver) close() error {
	err := r.server.Close()
	if r.served == nil {
		return err
	}
	if serving := <-r.served; !errors.Is(serving, http.ErrServerClosed) {
		err = errors.Join(err, serving)
	}
	return err
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err == nil {
		err = r.secret.Verify(commerce.Request{Header: req.Header, Body: body, At: time.Now()})
	}
	if err == nil {
		err = r.take(body)
	}
	if err != nil {
		r.mu.Lock()
		r.wrong = cmp.Or(r.wrong, err)
		r.mu.Unlock()
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (r *receiver) take(body []byte) error {
	var e events.Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	_, invoice, _ := strings.Cut(e.Subject, "/")
	for step, name := range life {
		if e.Type == events.TypeOf("invoice."+string(name)) {
			r.note(invoice, step)
			return nil
		}
	}
	return fmt.Errorf("%s is not expected", e.Type)
}

func (r *receiver) note(invoice string, step int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.invoices[invoice]
	bit := uint8(1) << step
	if i.steps&bit != 0 {
		r.repeated++
		return
	}
	if earlier := bit - 1; i.steps&earlier != earlier {
		r.outOfOrder++
	}
	now := time.Now()
	if i.steps == 0 {
		i.at = now
	}
	i.steps |= bit
	r.invoices[invoice] = i
	if r.events == 0 {
		r.first = now
	}
	r.events++
}

// waitFor waits until the receiver was told of so many events. It looks every few milliseconds.
func (r *receiver) waitFor(ctx context.Context, n int) error {
	for {
		r.mu.Lock()
		told, wrong := r.events, r.wrong
		r.mu.Unlock()
		switch {
		case wrong != nil:
			return fmt.Errorf("%s refused a webhook: %w", r.url, wrong)
		case told >= n:
			return nil
		}
		if err := waitFor(ctx, lookEvery); err != nil {
			return fmt.Errorf("%d of %d events are missing: %w", n-told, n, err)
		}
	}
}

// toldAt gives when the receiver was told of the invoice first.
func (r *receiver) toldAt(invoice string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.invoices[invoice].at
}

// counts gives how many events the receiver was told of, how many of them before an earlier event of their invoice, and how many came
// again.
func (r *receiver) counts() (told, outOfOrder, repeated int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events, r.outOfOrder, r.repeated
}
