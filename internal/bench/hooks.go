package bench

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Hooks measures the webhooks of a WooCommerce shop: first at a rate, with everything running, until their invoices are issued; then
// as fast as the gateway and the broker take them, on one processor, which they share with the sender.
type Hooks struct {
	Folder
	Orders int `default:"1000" min:"1" help:"How many orders are sent at the rate (${default})."`
	Rate   int `default:"50" min:"1" help:"Orders a second (${default})."`
	Flood  int `default:"5000" min:"1" help:"How many orders are sent as fast as they are taken (${default})."`
}

// HooksResult is what Hooks measures.
type HooksResult struct {
	Orders   int       `json:"orders"`
	Rate     int       `json:"rate"`
	Answered Quantiles `json:"sentToAnswer"`     // from when a webhook was due to its answer
	Issued   Quantiles `json:"acceptedToIssued"` // from that answer to the `issued` event at a subscriber; 0 where the event was first
	Whole    Quantiles `json:"sentToIssued"`

	Flood  int       `json:"flood"`
	PerSec float64   `json:"hooksPerSecond"`
	CPU    float64   `json:"cpuMillisecondsPerHook"` // of the whole process, sender included
	Each   Quantiles `json:"floodSentToAnswer"`
	Bytes  int       `json:"bytesPerHook"`
	Disk   Quantiles `json:"fsync"`
}

func (r HooksResult) String() string {
	return fmt.Sprintf(`%d webhooks at %d a second, of %d bytes
sent → answer        %s
accepted → issued    %s
sent → issued        %s
hooks                %.0f a second on one processor (%d, %d at once; %.2f ms of the processor each, sender included)
each answer          %s
append with fsync    %s`, r.Orders, r.Rate, r.Bytes, r.Answered, r.Issued, r.Whole, r.PerSec, r.Flood, atOnce, r.CPU, r.Each, r.Disk)
}

// Run measures.
func (h Hooks) Run(ctx context.Context, cfg Config) (r HooksResult, err error) {
	secrets, err := newHookSecrets()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(secrets.folder)) }()
	r = HooksResult{Orders: h.Orders, Rate: h.Rate, Flood: h.Flood}
	with := func(targets ...string) func(*app.Options) {
		return func(o *app.Options) {
			o.Targets, o.Connections, o.GatewayPerMinute = targets, secrets.connections(), 1_000_000
		}
	}
	err = h.measure(ctx, cfg, h.Orders, seconds(h.Orders)/time.Duration(h.Rate), with(app.All), func(ctx context.Context, f *fixture) error {
		f.say("everything runs; an append with fsync takes %s", f.disk)
		r.Disk = f.disk
		run := &hooks{Hooks: h, fixture: f, all: secrets.sign(h.Orders), issued: make([]time.Time, h.Orders)}
		if err := run.atRate(ctx, &r); err != nil {
			return err
		}
		return f.verify(ctx, 0)
	})
	if err != nil {
		return r, err
	}
	err = h.measure(ctx, cfg, h.Flood, 0, with("natsd", "gateway"), func(ctx context.Context, f *fixture) error {
		f.say("the broker and the gateway run on one processor")
		run := &hooks{Hooks: h, fixture: f, all: secrets.sign(h.Flood)}
		return run.flood(ctx, &r)
	})
	return r, err
}

// hook is a signed webhook that is ready to be sent.
type hook struct {
	body      []byte
	signature string
	sent      time.Time // when it was due
	answered  time.Time
}

// hooks is one run.
type hooks struct {
	Hooks
	*fixture
	all    []*hook
	issued []time.Time // by the order's number
	done   int
}

// send sends a webhook and fails unless the gateway has published its order.
func (r *hooks) send(ctx context.Context, client *http.Client, h *hook) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URLs.Gateway+"/hooks/"+shop+"/woocommerce", bytes.NewReader(h.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-WC-Webhook-Topic", "order.created")
	req.Header.Set("X-WC-Webhook-Signature", h.signature)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	var answer bytes.Buffer
	_, err = answer.ReadFrom(resp.Body)
	h.answered = time.Now()
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.HasPrefix(answer.Bytes(), []byte("published:")) {
		return fmt.Errorf("the gateway answers a webhook with %d %s", resp.StatusCode, bytes.TrimSpace(answer.Bytes()))
	}
	return nil
}

// newSender gives a client that keeps its connections, as a proxy before the gateway does.
func newSender() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}
}

// atRate sends the webhooks at the rate, and waits until all invoices are issued.
func (r *hooks) atRate(ctx context.Context, out *HooksResult) error {
	client := newSender()
	defer client.CloseIdleConnections()
	err := r.follow(ctx, []events.Name{events.EventIssued}, r.onIssued, func(ctx context.Context) error {
		return atRate(ctx, len(r.all), r.Rate, func(ctx context.Context, i int, due time.Time) error {
			r.all[i].sent = due
			return r.send(ctx, client, r.all[i])
		})
	})
	if err != nil {
		return err
	}
	if r.done < len(r.all) {
		return fmt.Errorf("only %d of %d invoices were issued", r.done, len(r.all))
	}
	var answered, issued, whole []time.Duration
	for i, h := range r.all {
		out.Bytes = len(h.body)
		answered = append(answered, h.answered.Sub(h.sent))
		issued = append(issued, max(0, r.issued[i].Sub(h.answered)))
		whole = append(whole, r.issued[i].Sub(h.sent))
	}
	out.Answered, out.Issued, out.Whole = quantiles(answered), quantiles(issued), quantiles(whole)
	return nil
}

func (r *hooks) onIssued(a events.Address) error {
	id, err := strconv.Atoi(a.ID)
	if err != nil {
		return err
	}
	r.issued[id-firstHook] = time.Now()
	if r.done++; r.done == len(r.all) {
		return bus.ErrStop
	}
	return nil
}

// flood sends the webhooks as fast as they are taken, on one processor, and checks that each is on the stream.
func (r *hooks) flood(ctx context.Context, out *HooksResult) error {
	client := newSender()
	defer client.CloseIdleConnections()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	begun, cpu := time.Now(), cpuTime(os.Getpid())
	err := each(ctx, len(r.all), atOnce, func(ctx context.Context, i int) error {
		r.all[i].sent = time.Now()
		return r.send(ctx, client, r.all[i])
	})
	if err != nil {
		return err
	}
	out.PerSec = float64(len(r.all)) / time.Since(begun).Seconds()
	out.CPU = (cpuTime(os.Getpid()) - cpu).Seconds() * 1000 / float64(len(r.all))
	var each []time.Duration
	for _, h := range r.all {
		each = append(each, h.answered.Sub(h.sent))
	}
	out.Each = quantiles(each)
	stored, err := r.Bus.StreamState(ctx, events.OrdersStream)
	if err == nil && stored.Messages != uint64(len(r.all)) {
		err = fmt.Errorf("ORDERS has %d orders, expected %d", stored.Messages, len(r.all))
	}
	return err
}

// hookSecrets are the secrets of the shop that sends.
type hookSecrets struct{ folder, file, secret string }

func newHookSecrets() (s hookSecrets, err error) {
	if s.folder, err = os.MkdirTemp("", "seqrflow-"); err == nil {
		s.file, s.secret, err = newSecret(s.folder)
	}
	return s, err
}

// connections joins the shop, whose own API nobody can reach: sweeps find nothing, and the shop is told nothing.
func (s hookSecrets) connections() connections.File {
	files := connections.SecretFiles{s.file}
	return connections.File{Connections: map[string]connections.Connection{shop: {WooCommerce: &connections.WooCommerce{
		URL: "http://127.0.0.1:1", PaymentMethods: []string{"seqr"}, WebhookSecret: files, ConsumerKey: files, ConsumerSecret: files,
	}}}}
}

// firstHook is the id of the first order.
const firstHook = 701

// sign makes webhooks of as many orders as a shop with three rows, shipping and a coupon sends them.
func (s hookSecrets) sign(n int) []*hook {
	out := make([]*hook, n)
	for i := range out {
		woo := shopsim.NewWoo(shopsim.WooConfig{PricesIncludeTax: true, FirstID: int64(firstHook + i)})
		body, err := json.Marshal(woo.Place(shopsim.Cart{
			Items: shopsim.DemoProducts, Shipping: []shopsim.Charge{{Name: "Parcel", Amount: "49", TaxRate: "25"}}, Discount: "10",
		}))
		if err != nil {
			panic(err) // the stand-in's own order
		}
		mac := hmac.New(sha256.New, []byte(s.secret))
		mac.Write(body)
		out[i] = &hook{body: body, signature: base64.StdEncoding.EncodeToString(mac.Sum(nil))}
		woo.Close()
	}
	return out
}
