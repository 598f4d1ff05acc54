package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// OutboundConfig is what the outbound half needs to know of one destination.
type OutboundConfig struct {
	URL     string        // https, or http to this machine
	Secrets []string      // "whsec_" and at least 24 bytes in base64 each; every request is signed with all of them
	HTTP    commerce.Doer // an *http.Client is copied so that it follows no redirect; another Doer must follow none
	Now     func() time.Time
}

// Outbound is the outbound half of a connection to a receiver of CloudEvents. It is safe for concurrent use.
type Outbound struct {
	conf OutboundConfig
	keys keys
}

var _ commerce.Outbound = (*Outbound)(nil)

// NewOutbound checks the settings; the error names what is wrong, and has no secret.
func NewOutbound(c OutboundConfig) (*Outbound, error) {
	ks, err := readKeys(c.Secrets)
	if wrong := commerce.CheckEndpoint(c.URL); wrong != nil {
		err = errors.Join(fmt.Errorf("url: %w", wrong), err)
	}
	if client, ok := c.HTTP.(*http.Client); ok {
		own := *client
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		c.HTTP = &own
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Outbound{c, ks}, err
}

// Deliver posts the event as it is stored. The webhook-id is the event's id in every attempt; the timestamp is the attempt's.
// Any 2xx is delivered, whatever its body is.
func (o *Outbound) Deliver(ctx context.Context, n commerce.Notice) commerce.Result {
	r, err := o.request(ctx, n)
	if err != nil {
		return commerce.Result{Status: commerce.Refused, Detail: "the event can't be posted: " + err.Error()}
	}
	answer, err := commerce.Ask(o.conf.HTTP, r, maxAnswer)
	if answer.Code != 0 {
		err = nil // the status decides; what comes after it is of no use
	}
	result := commerce.ResultOf("post "+string(n.Name), answer, err)
	switch {
	case result.Status != commerce.Refused:
	case answer.Code == http.StatusGone:
		result.Detail = "the destination is gone (410): expected its entry to be removed or another URL"
	case answer.Code < 300 || answer.Code > 399:
		result.Detail = fmt.Sprintf("the destination refuses the event (%d)", answer.Code)
	}
	return result
}

// maxAnswer is how many bytes of an answer are read, so that the connection can be used again.
const maxAnswer = 64 << 10

func (o *Outbound) request(ctx context.Context, n commerce.Notice) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.conf.URL, bytes.NewReader(n.Body))
	if err != nil {
		return nil, errors.New("url: not a URL")
	}
	r.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	r.Header.Set("User-Agent", "seqrflow")
	return r, o.keys.sign(r.Header, n.ID, o.conf.Now(), n.Body)
}
