package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/checkout"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/gateway"
)

// Checkout measures a gateway with many checkout pages open, each of another order.
type Checkout struct {
	Folder
	Pages int `default:"5000" min:"1" help:"How many pages are open (${default})."`
	Rate  int `default:"250" min:"1" help:"How many orders are paid a second (${default})."`
}

// Help says what is measured.
func (Checkout) Help() string {
	return `The gateway runs in a process of its own on one processor. Pages are opened as a browser with scripts does, each of another order, and stay open. Then each order is paid. Printed is the gateway's memory, and the time from when the poller begins to record a payment until the page is told of it.`
}

// CheckoutResult is what Checkout measures.
type CheckoutResult struct {
	Pages   int       `json:"openPages"`
	RSS     uint64    `json:"rssBytes"`     // of the gateway with all of them open
	PeakRSS uint64    `json:"peakRssBytes"` // until the end
	Idle    uint64    `json:"idleRssBytes"` // before the first
	Opened  float64   `json:"openedPerSecond"`
	Told    Quantiles `json:"paidToTold"`
	Busy    float64   `json:"processorShare"` // of its one processor, while the orders were paid
}

func (r CheckoutResult) String() string {
	return fmt.Sprintf(`open pages     %d, opened at %.0f a second
memory         resident %.0f MB with all of them open, %.0f MB at most, %.0f MB before the first
paid → told    %s (%d orders, %.0f %% of its processor used)`,
		r.Pages, r.Opened, mb(r.RSS), mb(r.PeakRSS), mb(r.Idle), r.Told, r.Told.Count, 100*r.Busy)
}

// openers is how many pages are opened at once.
const openers = 16

// Run measures.
func (c Checkout) Run(ctx context.Context, cfg Config) (r CheckoutResult, err error) {
	err = c.measure(ctx, cfg, 4*c.Pages, 0, targets("natsd", "bus"), func(ctx context.Context, f *fixture) (err error) {
		g, links, err := c.startGateway(ctx, f)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, g.end()) }()
		r, err = c.play(ctx, f, g, links)
		return err
	})
	return r, err
}

// startGateway starts a gateway in a process of its own, and gives the links to its pages.
func (c Checkout) startGateway(ctx context.Context, f *fixture) (w *workerProcess, links checkout.Links, err error) {
	address, err := freeAddress()
	if err != nil {
		return nil, links, err
	}
	const key = "the key of a measurement, which opens nothing"
	if links, err = checkout.NewLinks("http://"+address, []string{key}); err != nil {
		return nil, links, err
	}
	settings := func(dir string) (string, error) {
		keyFile := filepath.Join(dir, "key")
		return fmt.Sprintf("checkout: {base_url: \"http://%s\", key_file: %q}\n", address, keyFile), os.WriteFile(keyFile, []byte(key), 0o600)
	}
	w, err = f.startWorker(ctx, gateway.Name, settings, "--gateway-listen", address, "--gateway-per-minute", "1000000")
	return w, links, err
}

func (c Checkout) play(ctx context.Context, f *fixture, g *workerProcess, links checkout.Links) (r CheckoutResult, err error) {
	f.say("recording %d orders with their invoices", c.Pages)
	err = each(ctx, c.Pages, atOnce, func(ctx context.Context, i int) error {
		return errors.Join(f.place(ctx, shop, i), f.record(ctx, strconv.Itoa(i), false))
	})
	if err != nil {
		return r, err
	}
	r.Pages, r.Idle = c.Pages, status(g.pid()).VmRSS
	f.say("opening the pages")
	pages := make([]*openPage, c.Pages)
	defer func() {
		for _, p := range pages {
			p.close()
		}
	}()
	begun := time.Now()
	err = each(ctx, c.Pages, openers, func(ctx context.Context, i int) (err error) {
		pages[i], err = openLive(ctx, links.Page(shop, strconv.Itoa(i)))
		return err
	})
	if err != nil {
		return r, err
	}
	r.Opened, r.RSS = float64(c.Pages)/time.Since(begun).Seconds(), status(g.pid()).VmRSS
	f.say("%d orders are paid, %d a second", c.Pages, c.Rate)
	var told samples
	told.start(c.Pages)
	begun, cpu := time.Now(), cpuTime(g.pid())
	err = atRate(ctx, c.Pages, c.Rate, func(ctx context.Context, i int, _ time.Time) error {
		paid := time.Now()
		w, ctx := errgroup.WithContext(ctx)
		w.Go(func() error { return f.recordPaid(ctx, events.KeyOf(shop, strconv.Itoa(i))) })
		w.Go(func() error {
			err := pages[i].until(ctx, checkout.Paid)
			told.add(time.Since(paid))
			return err
		})
		return w.Wait()
	})
	r.Busy = (cpuTime(g.pid()) - cpu).Seconds() / time.Since(begun).Seconds()
	r.Told, r.PeakRSS = told.stop(), status(g.pid()).VmHWM
	return r, err
}

// openPage is the stream of an open page.
type openPage struct {
	conn net.Conn
	in   *bufio.Reader
}

// openLive opens the stream of a page, and reads how the page looks at first.
func openLive(ctx context.Context, page string) (*openPage, error) {
	u, err := url.Parse(page)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	p := &openPage{conn, bufio.NewReader(conn)}
	_, err = fmt.Fprintf(conn, "GET %s/live?%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nAccept-Language: sv\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36\r\n\r\n", u.Path, u.RawQuery, u.Host)
	if err == nil {
		err = p.until(ctx, checkout.Scan)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// until reads until the page is told of the state.
func (p *openPage) until(ctx context.Context, state checkout.State) error {
	defer context.AfterFunc(ctx, func() { _ = p.conn.SetReadDeadline(time.Now()) })()
	for {
		line, err := p.in.ReadString('\n')
		switch {
		case err != nil:
			return fmt.Errorf("page before %s: %w", state, err)
		case strings.HasPrefix(line, "HTTP/1.1 ") && !strings.HasPrefix(line, "HTTP/1.1 200 "):
			return fmt.Errorf("page: %s", strings.TrimSpace(line))
		case strings.HasPrefix(line, `data: {"digest":"`+string(state)+`/`):
			return nil
		}
	}
}

// close is for pages that were not opened, too.
func (p *openPage) close() {
	if p != nil {
		_ = p.conn.Close()
	}
}
