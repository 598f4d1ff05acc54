// Package checkout tests the buyer's page with everything real: broker, sandbox, workers, and for what only a browser shows,
// Chromium, at the size of a phone and of a computer. Screenshots go to the folder that SEQRFLOW_ARTIFACTS names.
package checkout

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/checkout"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	newKey = "a new key of the checkout pages, of 40 ch"
	oldKey = "an old key of the checkout pages, 40 char"
)

// shop is a checkout with everything behind it.
type shop struct {
	*rig.Rig
	t     *testing.T
	srv   *httptest.Server
	hub   *orderview.Hub
	links checkout.Links
	log   *logged
	way   *way
	pages *listener

	block  string        // requests whose path ends so get no answer that a browser can use
	asking atomic.Int64  // questions of pages under way
	atOnce atomic.Int64  // the most of them at once
	opened chan struct{} // receives a value when a page has its stream
}

// listener knows the connections of browsers.
type listener struct {
	net.Listener
	streams func() // is called when a page has been given its stream
	mu      sync.Mutex
	open    []net.Conn
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.open = append(l.open, c)
		c = &conn{c, l.streams}
	}
	return c, err
}

type conn struct {
	net.Conn
	streams func()
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil && bytes.Contains(p, []byte("Content-Type: text/event-stream")) {
		c.streams()
	}
	return n, err
}

// cut closes all connections.
func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		_ = c.Close()
	}
	l.open = nil
}

// answer passes a request on, and counts the questions of pages.
func (s *shop) answer(h http.Handler, w http.ResponseWriter, r *http.Request) {
	if s.block != "" && strings.HasSuffix(r.URL.Path, s.block) {
		http.Error(w, "nothing passes here", http.StatusBadGateway)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/poll") {
		s.atOnce.Store(max(s.atOnce.Load(), s.asking.Add(1)))
		defer s.asking.Add(-1)
	}
	h.ServeHTTP(w, r)
}

// streams notes that a page has its stream: a browser repeats a request that was cut off before the answer began.
func (s *shop) streams() {
	select {
	case s.opened <- struct{}{}:
	default: // it is known already
	}
}

// way is how the pages reach the broker. It can be cut and mended.
type way struct {
	broker nats.InProcessConnProvider
	mu     sync.Mutex
	isCut  bool
	conns  []net.Conn
}

// InProcessConn implements nats.InProcessConnProvider.
func (w *way) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut {
		return nil, net.ErrClosed
	}
	c, err := w.broker.InProcessConn()
	if err == nil {
		w.conns = append(w.conns, c)
	}
	return c, err
}

func (w *way) cut() { w.set(true) }

func (w *way) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = cut
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// logged is what the checkout has logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// look is how the shop's pages look in the tests.
var look = checkout.Shop{
	Name: "Kaffebönan", Colour: "#ffc20e", ReturnURL: "https://shop.example/order-received/{order}/?key={key}", FramedBy: []string{"https://shop.example"},
	LogoType: "svg", Logo: []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="18" fill="#5b3a1e"/></svg>`),
}

// open starts a checkout with all workers but the named ones.
func open(t *testing.T, without ...string) *shop {
	t.Helper()
	r := rig.New(t, sandbox.Config{})
	s := &shop{Rig: r, t: t, log: &logged{}, opened: make(chan struct{}, 1)}
	run := func(name string, start func()) {
		if !slices.Contains(without, name) {
			start()
		}
	}
	run(invoicer.Name, s.invoices)
	run(poller.Name, s.poll)
	run(receipter.Name, func() {
		r.Run(receipter.New(receipter.Config{Bus: r.Bus, Provider: r.Client, Shops: rig.Shops{}}))
	})
	run(canceler.Name, s.cancels)
	run(refunder.Name, func() { r.Run(refunder.New(refunder.Config{Bus: r.Bus, Provider: r.Client, Shops: rig.Shops{}})) })
	s.serve()
	return s
}

func (s *shop) invoices() {
	s.Run(invoicer.New(invoicer.Config{Bus: s.Bus, Provider: s.Client, Shops: rig.Shops{}, ValidFor: time.Minute, DebugLink: true, Log: s.Log}))
}

func (s *shop) poll() {
	s.Run(poller.New(poller.Config{Bus: s.Bus, Provider: s.Client, Shops: rig.Shops{}, Interval: 100 * time.Millisecond, Log: s.Log}))
}

func (s *shop) cancels() {
	s.Run(canceler.New(canceler.Config{Bus: s.Bus, Provider: s.Client, Shops: rig.Shops{}}))
}

// serve runs the pages on a connection of their own, as a gateway does.
func (s *shop) serve() {
	s.t.Helper()
	s.way = &way{broker: s.NATS}
	b := s.ConnectWith(bus.Config{Options: []nats.Option{nats.InProcessServer(s.way)}})
	s.hub = orderview.NewHub(b, s.Log)
	s.Run(s.hub)
	var h http.Handler
	s.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(h, w, r) }))
	s.pages = &listener{Listener: s.srv.Listener, streams: s.streams}
	s.srv.Listener = s.pages
	s.srv.Config.ReadTimeout, s.srv.Config.WriteTimeout = 30*time.Second, 30*time.Second // as the gateway's
	var err error
	if s.links, err = checkout.NewLinks("http://"+s.srv.Listener.Addr().String(), []string{newKey, oldKey}); err != nil {
		s.t.Fatal(err)
	}
	h, err = checkout.New(checkout.Config{Bus: b, Hub: s.hub, Links: s.links, Shops: map[string]checkout.Shop{rig.Shop: look}, Log: zerolog.New(s.log)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.srv.Start()
	s.t.Cleanup(func() { s.pages.cut(); s.srv.Close() })
}

// order of some rows.
func order(id string) events.Order {
	row := func(what, quantity, total string) events.Row {
		return events.Row{Description: what, Quantity: rig.Amount(quantity).Decimal(), Total: rig.Amount(total)}
	}
	return events.Order{OrderID: id, Shop: rig.Shop, Currency: "SEK", Total: rig.Amount("1249.50"), Title: "Tack för din beställning", Rows: []events.Row{
		row("Espressobönor, mörkrost & <färsk>", "2", "298"), row("Kaffekvarn Lyckan med keramiskt malverk", "1", "999"), row("Frakt", "1", "49"), row("Rabatt VINTER", "1", "-96.50"),
	}}
}

// placed places an order and waits until it can be paid.
func (s *shop) placed(id string) events.Invoice {
	s.t.Helper()
	s.Place(order(id))
	return s.Wait(id, events.EventIssued)
}

func (s *shop) page(id string) string { return s.links.Page(rig.Shop, id) }

// below gives the address of what belongs to a page.
func below(page, path string) string {
	u, _ := url.Parse(page)
	u.Path += path
	return u.String()
}

// answer is what a request got.
type answer struct {
	*http.Response
	text string
}

// client of a buyer without scripts: keeps cookies, follows no redirect.
func client() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, Timeout: rig.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (s *shop) get(address string) answer {
	s.t.Helper()
	return s.do(client(), "GET", address, "", nil)
}

func (s *shop) post(address, form string) answer {
	s.t.Helper()
	return s.do(client(), "POST", address, form, nil)
}

func (s *shop) do(c *http.Client, method, address, form string, header http.Header) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	c.CloseIdleConnections()
	return answer{resp, string(body)}
}

// shows waits until the page is in that state, by asking for it as a browser without scripts does.
func (s *shop) shows(page string, state checkout.State) answer {
	s.t.Helper()
	give := time.Now().Add(rig.Patience)
	for {
		a := s.get(page)
		if strings.Contains(a.text, `data-state="`+string(state)+`"`) {
			return a
		}
		if time.Now().After(give) {
			s.t.Fatalf("the page is not %s: %d\n%s", state, a.StatusCode, a.text)
		}
	}
}

func (s *shop) has(a answer, want ...string) {
	s.t.Helper()
	for _, w := range want {
		if !strings.Contains(a.text, w) {
			s.t.Errorf("%s: it lacks %q\n%s", a.Request.URL.Path, w, a.text)
		}
	}
}

func (s *shop) lacks(a answer, unwanted ...string) {
	s.t.Helper()
	for _, w := range unwanted {
		if strings.Contains(a.text, w) {
			s.t.Errorf("%s: it has %q\n%s", a.Request.URL.Path, w, a.text)
		}
	}
}
