// Package natsd runs a NATS server with JetStream inside this process, for first use, tests and
// single-machine installations. An event that it has acknowledged survives a power cut.
package natsd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// MaxPayload lets an over-long order reach the stream, so that it is parked with a reason instead of
// being refused at the door with a broken connection.
const MaxPayload = 4 << 20

// Config of the embedded server.
type Config struct {
	Listen string // host:port; port 0 picks a free one; "" serves only this process
	Data   string // folder of the streams
	Log    zerolog.Logger
}

// Server is a running NATS server. It is safe for concurrent use.
type Server struct {
	cfg  Config
	stop context.CancelFunc // ends the watch over its streams
	done chan struct{}      // closed when that has ended

	mu sync.Mutex
	s  *server.Server
}

// Start runs the server until Close and returns when it takes connections. After a power cut or a kill the server
// reads all its streams before that, which takes minutes where they are long: it is waited for until ctx ends, and the log says
// every few seconds what it is at. What goes wrong is told at once, with the server's own reason.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	opts, err := options(cfg)
	if err != nil {
		return nil, err
	}
	s, err := startServer(ctx, cfg, opts)
	if err != nil {
		return nil, err
	}
	if cfg.Listen != "" {
		cfg.Listen = s.Addr().String() // with the port that was free
	}
	watching, stop := context.WithCancel(context.Background())
	n := &Server{cfg: cfg, s: s, stop: stop, done: make(chan struct{})}
	go n.watch(watching, lookEvery)
	return n, nil
}

func startServer(ctx context.Context, cfg Config, opts *server.Options) (*server.Server, error) {
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	said := &listener{}
	s.SetLogger(said, false, false)
	return s, start(ctx, s, said, cfg, tellEvery)
}

func options(cfg Config) (*server.Options, error) {
	if cfg.Data == "" {
		return nil, errors.New("embedded NATS: a data folder is needed")
	}
	o := &server.Options{
		ServerName: "seqrflow", NoSigs: true, NoLog: true, MaxPayload: MaxPayload, DontListen: cfg.Listen == "",
		JetStream: true, StoreDir: filepath.Join(cfg.Data, "nats"), SyncAlways: true,
	}
	if cfg.Listen == "" {
		return o, nil
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("--nats-listen: expected host:port, got %q", cfg.Listen)
	}
	if o.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("--nats-listen: expected host:port, got %q", cfg.Listen)
	}
	if o.Host = host; o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	return o, free(cfg.Listen)
}

// free tells a taken port at once and by name; the server itself would only end the process.
func free(listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("embedded NATS cannot listen on %s: %w", listen, err)
	}
	return l.Close()
}

// URL for clients outside this process; "" when it does not listen.
func (n *Server) URL() string { return n.server().ClientURL() }

// InProcess is the option that connects without a socket.
func (n *Server) InProcess() nats.Option { return nats.InProcessServer(n) }

// InProcessConn implements nats.InProcessConnProvider.
func (n *Server) InProcessConn() (net.Conn, error) { return n.server().InProcessConn() }

func (n *Server) server() *server.Server {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.s
}

// Close stops the server and waits until its files are closed.
func (n *Server) Close() {
	n.stop()
	<-n.done
	end(n.server())
}

func end(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}
