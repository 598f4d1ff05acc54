package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type healthCmd struct {
	URL  string        `xor:"what" placeholder:"URL" help:"Ask this URL, e.g. http://127.0.0.1:8686/readyz."`
	NATS string        `name:"nats" xor:"what" placeholder:"URL" help:"Ask this broker whether JetStream answers."`
	Wait time.Duration `help:"Go on asking for so long."`
}

// Help shows examples.
func (healthCmd) Help() string {
	return `Without --url and --nats it asks http://127.0.0.1:8686/readyz, where workers answer by default. Exit code 0 is ready, 1 is not.

Examples:

    seqrflow health
    seqrflow health --url http://127.0.0.1:8686/healthz
    seqrflow health --nats nats://nats:4222 --wait 60s`
}

const (
	askTimeout = 3 * time.Second
	askAgain   = 250 * time.Millisecond
)

// Run asks until it is told "ready" or the wait is over.
func (h healthCmd) Run(c *console) error {
	if h.URL == "" && h.NATS == "" {
		h.URL = "http://127.0.0.1:8686/readyz"
	}
	end := time.Now().Add(h.Wait)
	for {
		err := h.ask(c.ctx)
		if err == nil {
			c.say("ready")
			return nil
		}
		if !time.Now().Before(end) {
			return fmt.Errorf("not ready: %w", err)
		}
		select {
		case <-c.ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		case <-time.After(askAgain):
		}
	}
}

func (h healthCmd) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if h.NATS != "" {
		return askBroker(ctx, h.NATS)
	}
	return askURL(ctx, h.URL)
}

func askURL(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 500))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", url, resp.Status, strings.TrimSpace(string(said)))
	}
	return nil
}

func askBroker(ctx context.Context, url string) error {
	nc, err := nats.Connect(url, nats.Timeout(askTimeout), nats.NoReconnect(), quiet)
	if mistaken := (*neturl.Error)(nil); errors.As(err, &mistaken) {
		return errors.New("--nats: not a URL") // the error would quote it, with its password
	}
	if err != nil {
		return unreachable(url, askTimeout, err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	_, err = js.AccountInfo(ctx)
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
		return errors.New("the broker answers, but it has no JetStream")
	}
	return err
}
