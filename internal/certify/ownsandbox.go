package certify

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// ownSandbox is a sandbox in this process, whose clock stands until it is moved.
type ownSandbox struct {
	*sandbox.Sandbox
	url    string
	server *http.Server
	ended  chan error
}

func openSandbox(log zerolog.Logger) (*ownSandbox, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &ownSandbox{url: "http://" + l.Addr().String(), ended: make(chan error, 1)}
	cfg := sandbox.Config{ManualClock: true, BaseURL: s.url, Log: log}
	cfg.FirstVersion = 3 // with 0, a client that always sends 0 would pass
	if s.Sandbox, err = sandbox.New(cfg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.server = &http.Server{Handler: s.Sandbox, ReadHeaderTimeout: 10 * time.Second}
	go func() { s.ended <- s.server.Serve(l) }()
	return s, nil
}

func (s *ownSandbox) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	<-s.ended
	return errors.Join(err, s.Sandbox.Close())
}
