package shopsim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Delivery is one attempt to send a webhook, as the shop's log has it.
type Delivery struct {
	Topic  string // "" for a ping
	URL    string
	Header http.Header
	Body   string
	Code   int   // 0 where no answer came
	Err    error // where no answer came
}

// Succeeded reports whether the destination has taken it, as the shop's system sees it.
func (d Delivery) Succeeded(below int) bool { return d.Code >= 200 && d.Code < below }

// outbox sends one delivery after another in the background.
type outbox struct {
	ctx    context.Context
	cancel context.CancelFunc
	client *http.Client

	mu      sync.Mutex
	idle    *sync.Cond
	queue   []func()
	sending bool
	pending int // deliveries that are not over
	log     []Delivery
}

func newOutbox(timeout time.Duration) *outbox {
	o := &outbox{client: &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.idle = sync.NewCond(&o.mu)
	return o
}

// Wait returns when every webhook that was to be sent until now is sent, or given up.
func (o *outbox) Wait() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.pending > 0 {
		o.idle.Wait()
	}
}

// Close ends deliveries that are under way, and waits for their end.
func (o *outbox) Close() {
	o.cancel()
	o.Wait()
}

// Deliveries gives every attempt to send a webhook, the oldest first.
func (o *outbox) Deliveries() []Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.log)
}

// add queues a delivery.
func (o *outbox) add(send func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending++
	o.queue = append(o.queue, send)
	if !o.sending {
		o.sending = true
		go o.send()
	}
}

// also runs a delivery beside the queue.
func (o *outbox) also(send func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending++
	go func() {
		defer o.finish()
		send()
	}()
}

func (o *outbox) send() {
	for {
		o.mu.Lock()
		if len(o.queue) == 0 {
			o.sending = false
			o.mu.Unlock()
			return
		}
		next := o.queue[0]
		o.queue = o.queue[1:]
		o.mu.Unlock()
		next()
		o.finish()
	}
}

func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending--
	if o.pending == 0 {
		o.idle.Broadcast()
	}
}

// post makes one attempt and logs it.
func (o *outbox) post(topic, url string, header http.Header, body []byte) Delivery {
	d := Delivery{Topic: topic, URL: url, Header: header, Body: string(body)}
	d.Code, d.Err = o.request(url, header, body)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, d)
	return d
}

func (o *outbox) request(url string, header http.Header, body []byte) (code int, err error) {
	req, err := http.NewRequestWithContext(o.ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = header.Clone()
	resp, err := o.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, nil
}
