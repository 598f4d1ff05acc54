package bench_test

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bench"
)

func TestFairness(t *testing.T) {
	t.Parallel()
	in := bench.Folder{Data: t.TempDir()}
	r, err := bench.Fairness{Folder: in, Silent: 3, Flood: 30, Large: 50_000, Orders: 10, Rate: 50}.Run(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, "the healthy shop's orders", r.Latency, 10)
	empty(t, in)
}

func TestOutage(t *testing.T) {
	t.Parallel()
	in := bench.Folder{Data: t.TempDir()}
	r, err := bench.Outage{Folder: in, Waiting: 5, Seconds: 1}.Run(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Attempts <= 0 || r.Attempts > 5 || r.First <= 0 || r.All < r.First {
		t.Errorf("%+v", r)
	}
	empty(t, in)
}

func TestStart(t *testing.T) {
	t.Parallel()
	in := bench.Folder{Data: t.TempDir()}
	r, err := bench.Start{Folder: in, Ended: 20, Open: 10}.Run(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []bench.FirstPoll{r.With, r.Without} {
		if p.First <= 0 || p.All < p.First {
			t.Errorf("%+v", p)
		}
	}
	empty(t, in)
}

func TestSlowProviderIsPolledThroughManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	in := bench.Folder{Data: t.TempDir()}
	r, err := bench.Poll{Folder: in, Invoices: 10, Seconds: 2, Latency: 200 * time.Millisecond, AtOnce: 16, Settle: time.Millisecond}.Run(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Gap < .5 || r.PerSec <= 0 {
		t.Errorf("%+v", r)
	}
	empty(t, in)
}
