package shopsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/shopsim"
)

// clock shows what it was set to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 26, 6, 0, 0, 900_000_000, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// answer is what a stand-in answered.
type answer struct {
	code   int
	header http.Header
	body   string
	err    error
}

// value gives a field of an answer that is a JSON object, as text.
func (a answer) value(t *testing.T, path ...string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func send(t *testing.T, method, url string, header http.Header, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // no redirects
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(got), err}
}

// destination records webhooks, and answers with the code that is set.
type destination struct {
	*httptest.Server
	mu   sync.Mutex
	code int
	got  []received
}

type received struct {
	header http.Header
	body   string
}

func newDestination(t *testing.T) *destination {
	d := &destination{code: http.StatusOK}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.got = append(d.got, received{r.Header, string(body)})
		if d.code == http.StatusFound {
			w.Header().Set("Location", d.URL+"/elsewhere")
		}
		w.WriteHeader(d.code)
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *destination) answer(code int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.code = code
}

// take gives what has come since it was asked last.
func (d *destination) take() []received {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.got
	d.got = nil
	return out
}

// wooShop is a shop with its API at a loopback address.
type wooShop struct {
	*shopsim.Woo
	clock *clock
	url   string
}

func openWoo(t *testing.T, cfg shopsim.WooConfig) wooShop {
	c := newClock()
	cfg.Now = c.now
	shop := shopsim.NewWoo(cfg)
	server := httptest.NewServer(shop)
	t.Cleanup(func() { shop.Close(); server.Close() })
	return wooShop{shop, c, server.URL + "/wp-json/wc/v3/"}
}

// call makes a call with the shop's credentials.
func (s wooShop) call(t *testing.T, method, path, body string) answer {
	t.Helper()
	return send(t, method, s.url+path, basic("ck_demo", "cs_demo"), body)
}

func basic(user, password string) http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header
}

func kinds(list []shopsim.Effect) string {
	var out []string
	for _, e := range list {
		out = append(out, e.Kind+" "+e.Detail+" by "+e.By)
	}
	return strings.Join(out, ", ")
}
