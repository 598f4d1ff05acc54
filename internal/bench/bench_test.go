package bench_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bench"
)

func config(t *testing.T) bench.Config {
	return bench.Config{Data: t.TempDir(), Progress: func(s string) { t.Log(s) }, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel)}
}

// empty fails the test unless the measurement took its folder away again.
func empty(t *testing.T, c bench.Config) {
	t.Helper()
	left, err := os.ReadDir(c.Data)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func inOrder(t *testing.T, what string, q bench.Quantiles, count int) {
	t.Helper()
	if q.Count != count || q.P50 <= 0 || q.P50 > q.P99 || q.P99 > q.Max {
		t.Errorf("%s: %d samples, %s; expected %d", what, q.Count, q, count)
	}
}

func TestLifecycle(t *testing.T) {
	for name, rate := range map[string]int{"as fast as possible": 0, "at a rate": 100} {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			r, err := bench.Lifecycle{Config: c, Orders: 40, Rate: rate}.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			inOrder(t, "order to receipted", r.Latency, 40)
			if r.PerSec <= 0 || rate > 0 && r.Seconds < .39 {
				t.Errorf("%.1f orders a second in %.2f s at a rate of %d", r.PerSec, r.Seconds, rate)
			}
			empty(t, c)
		})
	}
}

func TestPoll(t *testing.T) {
	c := config(t)
	r, err := bench.Poll{Config: c, Invoices: 30, Seconds: 2, Payments: 5, Settle: time.Millisecond}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for what, q := range map[string]bench.Quantiles{
		"unloaded, hinted": r.Unloaded.Hinted, "unloaded, not hinted": r.Unloaded.Unhinted,
		"loaded, hinted": r.Loaded.Hinted, "loaded, not hinted": r.Loaded.Unhinted,
	} {
		inOrder(t, what, q, 5)
	}
	if r.Lateness.Count < 30 || r.PerSec < 15 || r.PerSec > 31 {
		t.Errorf("30 invoices were polled %d times in 2 s, %.1f times a second", r.Lateness.Count, r.PerSec)
	}
	if r.Gap < .5 || r.Gap > 20 {
		t.Errorf("the longest gap of a poll a second was %.2f s", r.Gap)
	}
	empty(t, c)
}

func TestSandbox(t *testing.T) {
	t.Setenv(asProgram, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := bench.Sandbox{Config: config(t), Program: []string{self, "sandbox", "--listen", "127.0.0.1:0"}, Invoices: 200, Seconds: 1}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Invoices != 200 || r.PerSec <= 0 || r.Opened <= 0 {
		t.Errorf("%+v", r)
	}
	inOrder(t, "answers", r.Latency, r.Latency.Count)
}

func TestSandboxThatDoesNotStart(t *testing.T) {
	t.Setenv(asProgram, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = bench.Sandbox{Config: config(t), Program: []string{self, "version"}, Invoices: 1, Seconds: 1}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "without telling its endpoint") {
		t.Errorf("got %v", err)
	}
}

func TestQuantilesAsJSON(t *testing.T) {
	got, err := json.Marshal(bench.Quantiles{Count: 3, P50: 1234567, P99: 2 * time.Millisecond, Max: time.Second})
	if want := `{"count":3,"p50_ms":1.235,"p99_ms":2,"max_ms":1000}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; expected %s", got, err, want)
	}
}
