package certify

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// ownSandbox is the provider of a run without one: a sandbox whose clock stands until it is moved.
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
	if s.Sandbox, err = sandbox.New(sandbox.Config{ManualClock: true, BaseURL: s.url, Log: log}); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.server = &http.Server{Handler: counting{s.Sandbox}, ReadHeaderTimeout: 10 * time.Second}
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

// versionsFrom is where the examiner's sandbox begins to count an invoice's versions. Were it 0, a client
// that always sends 0 could not be told from one that sends what it has received.
const versionsFrom = 3

var versionElement = regexp.MustCompile(`<version>(\d+)</version>`)

// counting raises the versions in the sandbox's answers.
type counting struct{ next http.Handler }

func (c counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != sandbox.Path {
		c.next.ServeHTTP(w, r)
		return
	}
	held := heldAnswer{ResponseWriter: w}
	c.next.ServeHTTP(&held, r)
	body := versionElement.ReplaceAllFunc(held.body.Bytes(), func(e []byte) []byte {
		n, err := strconv.Atoi(string(versionElement.FindSubmatch(e)[1]))
		if err != nil {
			return e
		}
		return []byte("<version>" + strconv.Itoa(n+versionsFrom) + "</version>")
	})
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if held.status != 0 {
		w.WriteHeader(held.status)
	}
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// heldAnswer keeps an answer until it is whole.
type heldAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) WriteHeader(status int)      { h.status = status }
func (h *heldAnswer) Write(p []byte) (int, error) { return h.body.Write(p) }
