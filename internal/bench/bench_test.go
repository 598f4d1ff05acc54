package bench_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bench"
)

func config(t *testing.T) bench.Config {
	return bench.Config{Progress: func(s string) { t.Log(s) }, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel)}
}

// empty fails the test unless the measurement took its folder away again.
func empty(t *testing.T, in bench.Folder) {
	t.Helper()
	left, err := os.ReadDir(in.Data)
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
	t.Parallel()
	for name, rate := range map[string]int{"as fast as possible": 0, "at a rate": 100} {
		t.Run(name, func(t *testing.T) {
			in := bench.Folder{Data: t.TempDir()}
			r, err := bench.Lifecycle{Folder: in, Orders: 40, Rate: rate}.Run(t.Context(), config(t))
			if err != nil {
				t.Fatal(err)
			}
			inOrder(t, "order to receipted", r.Latency, 40)
			if r.PerSec <= 0 || rate > 0 && r.Seconds < .39 {
				t.Errorf("%.1f orders a second in %.2f s at a rate of %d", r.PerSec, r.Seconds, rate)
			}
			empty(t, in)
		})
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	in := bench.Folder{Data: t.TempDir()}
	r, err := bench.Hooks{Folder: in, Orders: 20, Rate: 100, Flood: 100}.Run(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, "sent to answer", r.Answered, 20)
	inOrder(t, "sent to issued", r.Whole, 20)
	inOrder(t, "answers of the flood", r.Each, 100)
	if r.Issued.Count != 20 || r.Issued.Max > r.Whole.Max || r.PerSec <= 0 || r.Bytes < 1000 {
		t.Errorf("%+v", r)
	}
	empty(t, in)
}

func TestPoll(t *testing.T) {
	t.Parallel()
	in := bench.Folder{Data: t.TempDir()}
	r, err := bench.Poll{Folder: in, Invoices: 30, Seconds: 2, Payments: 5, Settle: time.Millisecond}.Run(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	for what, q := range map[string]bench.Quantiles{
		"unloaded, hinted": r.Unloaded.Hinted, "unloaded, not hinted": r.Unloaded.Unhinted,
		"loaded, hinted": r.Loaded.Hinted, "loaded, not hinted": r.Loaded.Unhinted,
	} {
		inOrder(t, what, q, 5)
	}
	if r.Lateness.Count == 0 || r.PerSec <= 0 || r.PerSec > 31 { // fewer on a slow machine, and never more
		t.Errorf("30 invoices were polled %d times in 2 s, %.1f times a second", r.Lateness.Count, r.PerSec)
	}
	if r.Gap < .5 {
		t.Errorf("the longest gap of a poll a second was %.2f s", r.Gap)
	}
	empty(t, in)
}

func TestSandbox(t *testing.T) {
	t.Parallel()
	r, err := bench.Sandbox{Invoices: 200, Seconds: 1}.Run(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Invoices != 200 || r.PerSec <= 0 || r.Opened <= 0 {
		t.Errorf("%+v", r)
	}
	inOrder(t, "answers", r.Latency, r.Latency.Count)
}

func TestCheckout(t *testing.T) {
	t.Parallel()
	in := bench.Folder{Data: t.TempDir()}
	r, err := bench.Checkout{Folder: in, Pages: 40, Rate: 40}.Run(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Pages != 40 || r.Opened <= 0 {
		t.Errorf("%+v", r)
	}
	inOrder(t, "paid to told", r.Told, 40)
	empty(t, in)
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	in := bench.Folder{Data: t.TempDir()}
	r, err := bench.Deliveries{Folder: in, Events: 62, Rate: 100}.Run(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Events != 62 || r.Recorded <= 0 || r.Calls < 5 || r.First <= 0 || r.First > r.All || r.PerSec <= 0 {
		t.Errorf("%+v", r)
	}
	if r.Taken == 0 || r.Taken > 62 {
		t.Errorf("%d of 62 events were taken from the broker", r.Taken)
	}
	for what, q := range map[string]bench.Quantiles{"before": r.Before, "while dead": r.Beside, "when back": r.After} {
		inOrder(t, "recorded to told "+what, q, q.Count)
	}
	empty(t, in)
}

func TestQuantilesAsJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(bench.Quantiles{Count: 3, P50: 1234567, P99: 2 * time.Millisecond, Max: time.Second})
	if want := `{"count":3,"p50_ms":1.235,"p99_ms":2,"max_ms":1000}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; expected %s", got, err, want)
	}
}
