package cli_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/internal/cli"
)

// record waits for a line of the log, and ends the command at it.
type record struct {
	mu   sync.Mutex
	text strings.Builder
	want string
	end  context.CancelFunc
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(b)
	if strings.Contains(r.text.String(), r.want) {
		r.end()
	}
	return len(b), nil
}

// What a container prints goes to one collector of logs: with JSON logs, every line of both streams is one JSON object.
func TestNothingButJSONIsPrintedWithJSONLogs(t *testing.T) {
	t.Parallel()
	free := "127.0.0.1:0"
	for _, args := range [][]string{
		{"up", "--data", t.TempDir(), "--nats-listen", free, "--sandbox-listen", free, "--http-listen", free, "--gateway-listen", free},
		{"sandbox", "--listen", free},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		out := &record{want: `"message":"running"`, end: cancel}
		code := cli.Run(ctx, append(args, "--log-format", "json"), strings.NewReader(""), out, out)
		for line := range strings.Lines(out.text.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s prints %q", args[0], line)
			}
		}
		if code != 0 || !strings.Contains(out.text.String(), out.want) {
			t.Errorf("%s: exit code %d, %s", args[0], code, out.text.String())
		}
	}
}
