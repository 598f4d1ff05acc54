// Package shopdemo clicks through "seqrflow up --shop-demo" as a newcomer does: the shop, the checkout page, the wallet of the sandbox, and
// the shop's order. Once over HTTP, and once in Chromium. Screenshots go to the folder that SEQRFLOW_ARTIFACTS names.
package shopdemo

import (
	"bytes"
	"context"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/cli"
	"github.com/seqrflow/seqrflow/internal/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is the command while it runs.
type running struct {
	t    *testing.T
	shop string // the address of its page
	page string // of the first order's checkout; "" where none was placed
	stop func()
}

var (
	shopLine = regexp.MustCompile(`(?m)^  shop +(http://\S+)/ `)
	pageLine = regexp.MustCompile(`(?m)^  (http://\S+/pay/acme/1000\?key=\S+)$`)
)

// start runs the command on the data folder, until the test ends or stop is called. It returns when everything is printed.
func start(t *testing.T, data string) *running {
	t.Helper()
	const free = "127.0.0.1:0"
	ctx, cancel := context.WithCancel(context.Background())
	out := &printed{more: make(chan struct{}, 1)}
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, []string{"up", "--shop-demo", "--data", data, "--nats-listen", free, "--sandbox-listen", free, "--http-listen", free,
			"--gateway-listen", free, "--shop-listen", free, "--log-level", "error"}, strings.NewReader(""), out, &errs)
	}()
	r := &running{t: t}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("it ends with exit code %d: %s", code, errs.String())
		}
	})
	t.Cleanup(r.stop)
	whole := out.until(t, "Then see what became of it:")
	found := shopLine.FindStringSubmatch(whole)
	if found == nil {
		t.Fatalf("it prints no address of a shop:\n%s", whole)
	}
	r.shop = found[1]
	if found := pageLine.FindStringSubmatch(whole); found != nil {
		r.page = found[1]
	}
	return r
}

// printed is what the command has printed so far.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // is told that there is more
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	return p.text.Write(b)
}

func (p *printed) until(t *testing.T, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	for {
		p.mu.Lock()
		whole := p.text.String()
		p.mu.Unlock()
		if strings.Contains(whole, text) {
			return whole
		}
		select {
		case <-p.more:
		case <-ctx.Done():
			t.Fatalf("it does not print %q:\n%s", text, whole)
		}
	}
}

// buyer is a browser without scripts. It follows redirects.
type buyer struct {
	t      *testing.T
	client http.Client
}

func newBuyer(t *testing.T) *buyer {
	b := &buyer{t: t}
	t.Cleanup(b.client.CloseIdleConnections)
	return b
}

// page is an answer.
type page struct {
	address, text string
	code          int
}

func (b *buyer) open(address string) page {
	b.t.Helper()
	return b.send(http.MethodGet, address, "")
}

func (b *buyer) send(method, address, form string) page {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{resp.Request.URL.String(), string(body), resp.StatusCode}
}

// shows opens the address again and again until the page has the text.
func (b *buyer) shows(address, text string) (found page) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), rig.Patience)
	defer cancel()
	missing := rig.Until(ctx, func(context.Context) string {
		if found = b.open(address); strings.Contains(found.text, text) {
			return ""
		}
		return "the page has no " + text
	})
	if missing != "" {
		b.t.Fatalf("%s: %s\n%d %s", address, missing, found.code, found.text)
	}
	return found
}

// link gives where the link with the id leads.
func (p page) link(t *testing.T, id string) string {
	t.Helper()
	for _, tag := range regexp.MustCompile(`<a [^>]*>`).FindAllString(p.text, -1) {
		if strings.Contains(tag, `id="`+id+`"`) {
			_, rest, _ := strings.Cut(tag, `href="`)
			address, _, _ := strings.Cut(rest, `"`)
			return html.UnescapeString(address)
		}
	}
	t.Fatalf("%s has no link %s:\n%s", p.address, id, p.text)
	return ""
}
