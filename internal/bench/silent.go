package bench

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// silence is an address that takes connections and requests and never answers.
type silence struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func silent() (*silence, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &silence{Listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
		}
	}()
	return s, nil
}

func (s *silence) end() error {
	err := s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

// partly is a provider that does not answer some terminals, or none for a while. It counts what it is asked.
type partly struct {
	*seqr.Client              // that is answered
	mute         *seqr.Client // that is not
	silence      *silence
	isSilent     func(terminal string) bool

	sent, probes atomic.Int64
	atOnce, most atomic.Int64 // sendInvoice calls
}

func newPartly(answers *seqr.Client, isSilent func(string) bool) (*partly, error) {
	s, err := silent()
	if err != nil {
		return nil, err
	}
	mute, err := seqr.New(seqr.Config{Endpoint: "http://" + s.Addr().String(), ClientID: "seqrflow bench", ClientReference: "seqrflow bench", Timeout: 10 * time.Second})
	if err != nil {
		return nil, errors.Join(err, s.end())
	}
	return &partly{Client: answers, mute: mute, silence: s, isSilent: isSilent}, nil
}

func (p *partly) end() error {
	p.mute.CloseIdle()
	return p.silence.end()
}

func (p *partly) of(as seqr.Principal) *seqr.Client {
	if p.isSilent(as.ID) {
		return p.mute
	}
	return p.Client
}

// SendInvoice asks for an invoice.
func (p *partly) SendInvoice(ctx context.Context, r seqr.SendInvoice) (seqr.SentInvoice, error) {
	p.sent.Add(1)
	n := p.atOnce.Add(1)
	defer p.atOnce.Add(-1)
	for most := p.most.Load(); n > most && !p.most.CompareAndSwap(most, n); most = p.most.Load() {
	}
	return p.of(r.As).SendInvoice(ctx, r)
}

// GetPaymentStatus is what an invoicer probes a silent terminal with.
func (p *partly) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	p.probes.Add(1)
	return p.of(r.As).GetPaymentStatus(ctx, r)
}

// withTerminals gives each of these shops a terminal of its own, named as the shop.
func withTerminals(shopNames ...string) app.ShopList {
	all := shops()
	for _, s := range shopNames {
		all[s] = app.Shop{Terminal: s, Password: seqr.Secret("secret")}
	}
	return all
}
