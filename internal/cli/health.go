package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type healthCmd struct {
	URL  string        `xor:"what" placeholder:"URL" help:"Ask this URL, e.g. http://127.0.0.1:8686/readyz."`
	NATS string        `name:"nats" xor:"what" placeholder:"URL" help:"Ask this broker whether JetStream answers."`
	Wait time.Duration `help:"Go on asking for so long."`
}

func (healthCmd) Help() string {
	return `Without --url and --nats it asks http://127.0.0.1:8686/readyz, where workers answer by default. Exit code 0 is ready, 1 is not.

Examples:

    seqrflow health
    seqrflow health --url http://127.0.0.1:8686/healthz
    seqrflow health --nats nats://nats:4222 --wait 60s`
}

func (h healthCmd) Validate() error {
	if u, err := url.Parse(h.URL); h.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return errors.New("--url: expected an http or https URL such as http://127.0.0.1:8686/readyz")
	}
	return nil
}

const (
	askTimeout = 3 * time.Second
	askAgain   = 250 * time.Millisecond
)

func (h healthCmd) Run(c *console) error {
	if h.URL == "" && h.NATS == "" {
		h.URL = "http://127.0.0.1:8686/readyz"
	}
	end := time.Now().Add(h.Wait)
	for {
		ctx, cancel := context.WithTimeout(c.ctx, askTimeout)
		err := h.ask(ctx, c)
		cancel()
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

func (h healthCmd) ask(ctx context.Context, c *console) error {
	if h.NATS != "" {
		b, err := brokerFlags{NATS: h.NATS}.connectWithin(c, askTimeout, 1)
		if err != nil {
			return err
		}
		defer b.Close()
		_, err = b.Account(ctx)
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
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
		return fmt.Errorf("%s answers %s: %s", h.URL, resp.Status, strings.TrimSpace(string(said)))
	}
	return nil
}
