// Package chaos carries out seeded schedules: worlds in which orders, cancellations and returns come in any
// order, twice and late, buyers hesitate, the provider fails, answers are lost, and every worker dies at any
// boundary of its work and is started again. Orders are tried again under another invoiceId, and both tries paid;
// strangers write where only workers should; message ids are used again; durables are lost; one terminal is silent;
// copies of a worker have other credentials, and a terminal is replaced. The broker and the sandbox are real; time is
// the sandbox's. When a world has come to rest, the provider's ledger and ours must agree.
//
//	go test ./test/chaos -args -schedules 300 -seed 1
package chaos

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// settings of a run of the tests.
type settings struct {
	schedules *int
	seed      *uint64
	worlds    *int
	shrink    *time.Duration
	trace     *bool
}

// given on the command line, and read only.
var given = settings{
	schedules: flag.Int("schedules", 300, "how many schedules to carry out"),
	seed:      flag.Uint64("seed", 1, "of the first schedule; each following one has the next"),
	worlds:    flag.Int("worlds", 24, "how many schedules at once"),
	shrink:    flag.Duration("shrink", time.Minute, "how long a failing schedule is made smaller"),
	trace:     flag.Bool("trace", false, "print what happened in every schedule"),
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// complain of a schedule that failed, with a smaller one that fails too and how to repeat it.
func complain(t *testing.T, b *brokers, r result) {
	small := shrink(r, *given.shrink, func(s schedule) result {
		again, err := b.run(t.Context(), s, realWorkers())
		if err != nil {
			t.Error(err)
		}
		return again
	})
	t.Errorf("seed %d failed:\n%s\nmade smaller:\n%s\nrepeat it with: go test ./test/chaos -run TestSchedules -args -schedules 1 -seed %d",
		r.schedule.Seed, r, small, r.schedule.Seed)
}

func TestSchedules(t *testing.T) {
	if testing.Short() {
		t.Skip("in the short form: its worlds live in real time, and starve under the race detector")
	}
	t.Parallel()
	b := newBrokers(t, patience)
	seeds := make(chan uint64)
	var workers sync.WaitGroup
	var mu sync.Mutex
	strokes, slowest := map[string]int{}, result{}
	begun := time.Now()
	for range *given.worlds {
		workers.Go(func() {
			for seed := range seeds {
				r, err := b.run(t.Context(), generate(seed), realWorkers())
				if err != nil {
					t.Error(err)
					continue
				}
				if len(r.problems) > 0 {
					complain(t, b, r)
				}
				if *given.trace {
					t.Logf("%s", r)
				}
				mu.Lock()
				for at, n := range r.strokes {
					strokes[at] += n
				}
				if r.took > slowest.took {
					slowest = r
				}
				mu.Unlock()
			}
		})
	}
	schedules := *given.schedules
	for i := range schedules {
		seeds <- *given.seed + uint64(i)
	}
	close(seeds)
	workers.Wait()
	deaths := 0
	for _, at := range slices.Sorted(maps.Keys(strokes)) {
		deaths += strokes[at]
		t.Logf("%4d times: %s", strokes[at], at)
	}
	t.Logf("%d schedules with %d deaths and lost connections in %s; the slowest, seed %d, took %s",
		schedules, deaths, time.Since(begun).Round(time.Second), slowest.schedule.Seed, slowest.took.Round(time.Millisecond))
	if everywhere := 5 * 6; schedules >= 300 && len(strokes) < everywhere {
		t.Errorf("deaths at %d boundaries of workers, of %d", len(strokes), everywhere)
	}
}
