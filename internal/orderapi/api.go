// Package orderapi is the HTTP API for a shop's own code: place an order, see how it stands, cancel it, pay back, and hear what
// happens. It publishes order events and reads what the workers have recorded; it makes no call to the provider.
//
//	api.go       the API and its operations
//	document.go  its OpenAPI document, which schemas/openapi.json is a copy of
//	examples.go  the document's examples
//	auth.go      the shop's token, what a request may cost, and its log line
//	types.go     what is asked for; schema.go: the types that JSON has several spellings of
//	state.go     what an answer says of an order
//	orders.go    place, see, cancel and return
//	body.go      the body of a request as an order event
//	events.go    the stream of events
//	problem.go   errors as RFC 9457 has them
//
// The same request again has no second effect: an order is named by its id, a return by its refundId.
package orderapi

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-chi/httprate"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Config of the API.
type Config struct {
	Bus         *bus.Bus
	Hub         *orderview.Hub
	Connections connections.File
	// CheckoutURL gives the page on which the buyer pays the order, and ReturnURL what the buyer's app opens afterwards where the
	// order has no backUrl; nil gives none.
	CheckoutURL, ReturnURL func(shop, order string) string
	PerMinute              int // requests of one shop; 6000 unless given
	Streams                int // streams of events that one shop may have open; 100 unless given
	Metrics                prometheus.Registerer
	Log                    zerolog.Logger
}

// API answers requests under /v1/. It is safe for concurrent use.
type API struct {
	Config
	http.Handler
	tokens   tokens
	limit    *httprate.RateLimiter // of the requests of each shop
	streams  streams
	requests *prometheus.CounterVec
	document *huma.OpenAPI
}

const (
	maxBody = events.MaxOrderBytes + 4<<10
	// maxWait is how long a request may wait for something to happen.
	maxWait = 25 * time.Second
	version = "1.0.0"
)

// New reads the shops' tokens. The error names each that cannot be read.
func New(c Config) (*API, error) {
	t, err := readTokens(c.Connections)
	if err != nil {
		return nil, err
	}
	if c.PerMinute == 0 {
		c.PerMinute = 6000
	}
	if c.Streams == 0 {
		c.Streams = 100
	}
	mux := http.NewServeMux()
	api := humago.New(mux, head())
	a := &API{
		Config: c, Handler: mux, tokens: t, limit: newLimit(c.PerMinute), streams: streams{open: map[string]int{}},
		requests: newMetric(c.Metrics), document: api.OpenAPI(),
	}
	api.UseMiddleware(a.count, a.authorize)
	a.register(api)
	for id, op := range operations(a.document) {
		for status := range op.Responses {
			a.requests.WithLabelValues(id, status)
		}
	}
	mux.HandleFunc(otherPaths, func(w http.ResponseWriter, r *http.Request) { refuseOther(mux, w, r) })
	return a, nil
}

// otherPaths is the pattern of all requests that are no operation.
const otherPaths = "/v1/"

// refuseOther answers a request that is no operation: 405 if its path takes another method, else 404.
func refuseOther(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != otherPaths {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		writeProblem(w, http.StatusNotFound, "there is no such operation; /v1/openapi.json has all that there are")
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, http.StatusMethodNotAllowed, "expected "+strings.Join(allowed, " or ")+"; /v1/openapi.json has all operations")
}

const (
	ordersPath = "/v1/shops/{shop}/orders"
	orderPath  = ordersPath + "/{order}"
	cancelPath = orderPath + "/cancel"
	returnPath = orderPath + "/returns"
	eventsPath = "/v1/shops/{shop}/events"
)

func (a *API) register(api huma.API) {
	asks := func(o huma.Operation, errors ...int) huma.Operation {
		o.Method, o.MaxBodyBytes, o.BodyReadTimeout, o.SkipValidateBody = http.MethodPost, -1, -1, true
		o.Errors = slices.Concat(errors, []int{400, 401, 408, 413, 422, 429, 503})
		return o
	}
	huma.Register(api, asks(huma.Operation{
		OperationID: "placeOrder", Path: ordersPath, Summary: "Take payment for an order", DefaultStatus: http.StatusCreated,
		Description: "Answers 201 for a new order, and 200 for one that was placed before with the same contents. Other contents under the same id are 409: " +
			"name an invoiceId to ask for another payment of the same order. With wait, the answer comes as soon as the invoice is issued, or after that time.",
	}, 409), a.place)
	huma.Register(api, huma.Operation{
		OperationID: "getOrder", Method: http.MethodGet, Path: orderPath, Summary: "How an order stands",
		Description: "With wait, the answer comes as soon as the order's state is another than the one in state, or after that time. With wait and without state, " +
			"it comes as soon as the buyer can pay no longer: the order is paid, or its invoice has ended.",
		Errors: []int{401, 404, 422, 429, 503},
	}, a.get)
	huma.Register(api, asks(huma.Operation{
		OperationID: "cancelOrder", Path: cancelPath, Summary: "Cancel an order, or pay it back if it is paid", DefaultStatus: http.StatusAccepted,
		Description: "Answers 202 for a new wish, and 200 for one that was there before. The body may be empty. With wait, the answer comes as soon as the buyer can " +
			"pay no longer, or after that time.",
	}, 404), a.cancel)
	huma.Register(api, asks(huma.Operation{
		OperationID: "returnOrder", Path: returnPath, Summary: "Pay back all of an order or part of it", DefaultStatus: http.StatusAccepted,
		Description: "Answers 202 for a new return, and 200 for one that was there before. The refundId is the shop's: the same again pays nothing a second time. " +
			"Other contents under the same refundId are 409. With wait, the answer comes as soon as the refund's outcome is known, or after that time.",
	}, 404, 409), a.giveBack)
	a.registerEvents(api)
	describe(api.OpenAPI())
}
