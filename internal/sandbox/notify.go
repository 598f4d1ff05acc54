package sandbox

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"
)

// notifier POSTs to the notificationUrl of paid invoices, once each, in the background. A notification that fails is logged
// and not repeated.
type notifier struct {
	log    zerolog.Logger
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc
	places *semaphore.Weighted // one for each connection
	mu     sync.Mutex
	ended  bool
	wg     sync.WaitGroup
}

const (
	notifyTimeout  = 5 * time.Second
	maxConnections = 64 // at the same time; other notifications wait
)

func newNotifier(log zerolog.Logger) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	return &notifier{
		log: log, ctx: ctx, cancel: cancel, places: semaphore.NewWeighted(maxConnections),
		client: &http.Client{
			Timeout:       notifyTimeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: maxConnections, IdleConnTimeout: 30 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (n *notifier) send(address, invoiceReference string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return
	}
	n.wg.Go(func() {
		if n.places.Acquire(n.ctx, 1) != nil {
			return // closed
		}
		defer n.places.Release(1)
		if err := n.post(address, invoiceReference); err != nil {
			n.log.Warn().Err(err).Str("invoice", invoiceReference).Msg("notification not delivered, and not repeated")
		}
	})
}

func (n *notifier) post(address, invoiceReference string) error {
	form := url.Values{"invoiceReference": {invoiceReference}}
	req, err := http.NewRequestWithContext(n.ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("the address cannot be used")
	}
	req.GetBody = nil // else the transport may send it again when the receiver has just closed the connection
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := n.client.Do(req)
	var detail *url.Error
	if errors.As(err, &detail) {
		return detail.Err // without the address, which may hold the shop's token
	}
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// close gives up the notifications under way, and waits until they have ended.
func (n *notifier) close() {
	n.mu.Lock()
	n.ended = true
	n.mu.Unlock()
	n.cancel()
	n.wg.Wait()
	n.client.CloseIdleConnections()
}
