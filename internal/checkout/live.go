package checkout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// news is what a page is told: how it looks now.
type news struct {
	Digest   string `json:"digest"`
	Final    bool   `json:"final"`
	Title    string `json:"title"`
	Announce string `json:"announce"` // for screen readers
	HTML     string `json:"html"`
}

func (h *Checkout) newsOf(q request, v view) ([]byte, error) {
	f := h.fragmentOf(q, v)
	var body bytes.Buffer
	if err := h.templates.ExecuteTemplate(&body, "state", f); err != nil {
		return nil, err
	}
	announce := f.Headline + ". " + f.Amount
	for _, t := range f.Text {
		announce += ". " + t
	}
	return json.Marshal(news{v.digest(), v.state.Final(), f.Headline + " – " + q.shop.Name, announce, body.String()})
}

// servePoll answers with how the page looks now.
func (h *Checkout) servePoll(w http.ResponseWriter, q request, o orderview.Order) {
	body, err := h.newsOf(q, h.view(q, o))
	if err != nil {
		h.showUnreachable(w, q)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a reader that has gone needs no answer
}

const (
	alive     = 15 * time.Second // between two signs of life on a stream
	writeTime = 10 * time.Second // for a browser to take what is written
	mostTicks = 240              // signs of life, an hour; then the browser asks again, with its key

	// mostStreams is how many pages of one order have a stream: who has the link must not use up the gateway's connections.
	mostStreams = 50
)

// serveLive streams how the page looks, whenever that changes: server-sent events. It takes the connection over from the server, whose
// buffers for it are several times what an open page needs. A connection that can't be taken over (HTTP/2) is answered 503, as is
// one more than mostStreams, and the page asks instead.
func (h *Checkout) serveLive(w http.ResponseWriter, r *http.Request) {
	q := h.read(r)
	ctx, cancel := context.WithTimeout(r.Context(), loadTime)
	sub, err := h.cfg.Hub.SubscribeOrder(ctx, q.key)
	cancel()
	if err != nil {
		h.showUnreachable(w, q)
		return
	}
	o, err := h.load(q)
	if err == nil && sub.Subscribers() <= mostStreams {
		var conn net.Conn
		if conn, _, err = http.NewResponseController(w).Hijack(); err == nil {
			p := &openPage{h: h, conn: conn, q: q.of(o).lean(), o: withoutRows(o), sub: sub}
			go p.run()
			return
		}
	}
	sub.Close()
	if errors.Is(err, orderview.ErrUnknown) {
		h.showMissing(w, q)
		return
	}
	h.showUnreachable(w, q)
}

// lean is the request without what an open page does not need.
func (q request) lean() request {
	q.Request = &http.Request{URL: q.URL}
	return q
}

const streamHeader = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n" +
	"X-Content-Type-Options: nosniff\r\nX-Accel-Buffering: no\r\nConnection: close\r\n\r\n" // and a proxy passes each event on at once

const signOfLife = "event: alive\ndata:\n\n"

// openPage is a page whose browser is told of what changes.
type openPage struct {
	h    *Checkout
	conn net.Conn
	q    request
	o    orderview.Order
	sub  *orderview.Subscription
	told string // the digest of what the browser was told last
}

// run tells the browser until it is gone, the hub has ended or the stream is old. It only waits, and leaves the rest to step: thousands
// of pages wait at once, and a stack keeps the size that its deepest call has needed.
func (p *openPage) run() {
	defer p.sub.Close()
	defer func() { _ = p.conn.Close() }() // it is closed whatever the error
	tick := time.NewTicker(alive)
	defer tick.Stop()
	var returned <-chan time.Time // when a buyer who came back from the app is shown the code again
	if p.q.returnedBefore(p.h.cfg.Bus.Now()) {
		returned = time.After(returnedFor)
	}
	err := p.step(streamHeader)
	for ticks := 0; err == nil && ticks < mostTicks; {
		select {
		case <-p.h.cfg.Hub.Ended():
			return
		case <-returned:
			err = p.step("")
		case <-tick.C:
			ticks++
			err = p.step(signOfLife)
		case <-p.sub.Changed():
			err = p.step("")
		}
	}
}

// step tells on a goroutine of its own, whose stack is given back after it.
func (p *openPage) step(first string) error {
	done := make(chan error)
	go func() { done <- p.tell(first) }()
	return <-done
}

// tell writes first, and then how the page looks now, if that is not what the browser was told last.
func (p *openPage) tell(first string) error {
	changes := p.sub.Take()
	for _, c := range changes {
		p.o, _ = p.o.Apply(c)
	}
	if _, again := p.o.NextTry(); again && len(changes) > 0 {
		// Whether it was the shop that has canceled the order is not among the changes.
		if o, err := p.h.load(p.q); err == nil {
			p.o = o
		}
	}
	p.o = withoutRows(p.o)
	v := p.h.view(p.q, p.o)
	if digest := v.digest(); digest != p.told {
		body, err := p.h.newsOf(p.q, v)
		if err != nil {
			return err
		}
		p.told = digest
		first += "data: " + string(body) + "\n\n" // JSON has no line breaks
	}
	if first == "" {
		return nil
	}
	if err := p.conn.SetDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := io.WriteString(p.conn, first)
	return err
}

// withoutRows drops what an open page does not need, so that thousands of them are held in little memory.
func withoutRows(o orderview.Order) orderview.Order {
	o.Placed, o.BuyerKeyHashes = events.Order{}, nil
	tries := make([]orderview.Try, len(o.Tries))
	for i, t := range o.Tries {
		t.Order.Rows, t.Order.Title, t.Order.BuyerKeyHash = nil, "", ""
		t.Invoice.Order, t.Invoice.Receipts, t.Invoice.Refunds, t.Invoice.Change.Call = nil, nil, nil, nil
		tries[i] = t
	}
	o.Tries = tries
	return o
}
