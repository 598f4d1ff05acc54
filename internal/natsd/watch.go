package natsd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// lookEvery is how often the streams are looked at for one that cannot be written to.
	lookEvery = 5 * time.Second
	// roomNeeded is how many bytes the folder must take before the server is started again.
	roomNeeded = 8 << 20
)

// watch starts the server again when one of its streams cannot be written to and the folder has room. After a write that failed, on
// a full disk for instance, the server refuses every later write to that stream for as long as it runs.
func (n *Server) watch(ctx context.Context, every time.Duration) {
	defer close(n.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for broken := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if broken == "" {
			broken = writeError(n.server())
		}
		if broken == "" {
			continue
		}
		if err := takes(n.cfg.Data, roomNeeded); err != nil {
			n.cfg.Log.Error().Str("broker", broken).Err(err).Msg("the embedded broker does not store everything any more; it starts again when its folder has room")
			continue
		}
		n.cfg.Log.Warn().Str("broker", broken).Msg("the embedded broker could not write, and its folder has room now; it starts again")
		if err := n.restart(ctx); err != nil {
			n.cfg.Log.Error().Err(err).Msg("the embedded broker does not start again; the next try follows")
			continue
		}
		broken = ""
	}
}

// writeError is what the server says of a stream that it cannot write to, or "".
func writeError(s *server.Server) string {
	if health := s.Healthz(&server.HealthzOptions{}); strings.Contains(health.Error, "write error") {
		return health.Error
	}
	return ""
}

// restart ends the server and starts another on its streams, at its address. Clients reconnect by themselves.
func (n *Server) restart(ctx context.Context) error {
	end(n.server())
	opts, err := options(n.cfg)
	if err != nil {
		return err
	}
	s, err := startServer(ctx, n.cfg, opts)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.s = s
	return nil
}

// takes says whether the folder takes a file of this many bytes; the file does not stay.
func takes(folder string, size int) (err error) {
	f, err := os.CreateTemp(folder, ".room-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, size)); err != nil {
		return fmt.Errorf("%d MiB do not fit into %s: %w", size>>20, filepath.Clean(folder), err)
	}
	return f.Sync()
}
