package certify

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/reconciler"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// provider is every call that the workers make.
type provider interface {
	invoicer.Provider
	poller.Provider
	receipter.Provider
	canceler.Provider
	refunder.Provider
	reconciler.Provider
}

// sabotage is one thing that is wrong with an integration.
type sabotage struct {
	wire    func(operation string, request []byte) []byte // what it writes instead
	client  func(*seqr.Client) provider                   // how it calls
	without string                                        // the worker that it lacks
	early   bool                                          // it asks for a report right after the mark
	hasty   bool                                          // it asks for a report again at once
}

// integration is workers with something wrong about them.
type integration struct {
	server *natsd.Server
	bus    *bus.Bus
	cancel context.CancelFunc
	done   chan error
}

func (i *integration) Wait() error { return nil }

func (i *integration) Stop() error {
	i.cancel()
	err := <-i.done
	i.bus.Close()
	i.server.Close()
	return err
}

func (s sabotage) start(ctx context.Context, o app.Options) (*bus.Bus, workers, error) {
	server, err := natsd.Start(ctx, natsd.Config{Data: o.Data})
	if err != nil {
		return nil, nil, err
	}
	b, err := bus.Connect(ctx, bus.Config{Name: "broken", Options: []nats.Option{server.InProcess()}, Log: o.Log})
	if err != nil {
		return nil, nil, err
	}
	if err := b.EnsureStreams(ctx); err != nil {
		return nil, nil, err
	}
	if s.wire == nil {
		s.wire = func(_ string, request []byte) []byte { return request }
	}
	endpoint, err := url.Parse(o.Provider)
	if err != nil {
		return nil, nil, err
	}
	forger := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { forge(r, endpoint, s.wire) }})
	client, err := seqr.New(seqr.Config{Endpoint: forger.URL, ClientID: o.ClientID, ClientReference: o.ClientReference,
		Recorder: forgedRecorder{o.Recorder, s.wire}})
	if err != nil {
		return nil, nil, err
	}
	var p provider = client
	if s.client != nil {
		p = s.client(client)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	i := &integration{server: server, bus: b, cancel: cancel, done: make(chan error, 1)}
	var g errgroup.Group
	for name, w := range s.workers(b, p, o) {
		if name != s.without {
			g.Go(func() error { return w.Run(ctx) })
		}
	}
	go func() {
		err := g.Wait()
		client.CloseIdle()
		forger.Close()
		i.done <- err
	}()
	return b, i, nil
}

type worker interface{ Run(context.Context) error }

func (s sabotage) workers(b *bus.Bus, p provider, o app.Options) map[string]worker {
	pauses := reconciler.Pauses{Report: leastPause + 200*time.Millisecond, NotReady: leastPause + 200*time.Millisecond}
	if s.early {
		pauses.Report = 10 * time.Millisecond
	}
	if s.hasty {
		pauses.NotReady = 100 * time.Millisecond
	}
	return map[string]worker{
		invoicer.Name:   invoicer.New(invoicer.Config{Bus: b, Provider: p, Shops: o.ShopList, ValidFor: o.ValidFor, Log: o.Log}),
		poller.Name:     poller.New(poller.Config{Bus: b, Provider: p, Shops: o.ShopList, Interval: o.PollInterval, Log: o.Log}),
		receipter.Name:  receipter.New(receipter.Config{Bus: b, Provider: p, Shops: o.ShopList}),
		canceler.Name:   canceler.New(canceler.Config{Bus: b, Provider: p, Shops: o.ShopList}),
		refunder.Name:   refunder.New(refunder.Config{Bus: b, Provider: p, Shops: o.ShopList}),
		reconciler.Name: reconciler.New(reconciler.Config{Bus: b, Provider: p, Shops: o.ShopList, Log: o.Log, Pauses: pauses}),
	}
}

var operationElement = regexp.MustCompile(`<ext:(\w+)>`)

// forge sends something else to the provider than the client wrote.
func forge(r *httputil.ProxyRequest, endpoint *url.URL, wire func(string, []byte) []byte) {
	body, _ := io.ReadAll(r.In.Body)
	if found := operationElement.FindSubmatch(body); found != nil { // else the client has hung up
		body = wire(string(found[1]), body)
	}
	r.Out.URL, r.Out.Host = endpoint, endpoint.Host
	r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
}

// forgedRecorder records what forge has sent.
type forgedRecorder struct {
	next seqr.Recorder
	wire func(string, []byte) []byte
}

func (w forgedRecorder) Record(x seqr.Exchange) {
	x.Request = w.wire(x.Operation, x.Request)
	w.next.Record(x)
}
