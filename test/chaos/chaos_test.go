// Package chaos carries out seeded schedules. In each, orders, cancellations and returns come in any order, twice and late;
// buyers hesitate; the provider fails and answers are lost; every worker crashes at any boundary of its work and is started again.
// Orders are tried again under another invoiceId, and both tries paid; foreign messages come where only workers should write;
// message ids are used again; durables are lost; acknowledgements come late; one terminal is silent; copies of a worker have other credentials, and a terminal
// is replaced. The shops have destinations, which the notifier tells; they are dead, slow, answer errors, or drop connections after the
// effect. The broker and the sandbox are real; the time is the sandbox's. At the end the history must follow the state
// table, the provider's ledger and our events must agree, and each destination was told of every event, in the order of each invoice.
//
//	go test ./test/chaos -args -schedules 300 -seed 1
//
//	chaos_test.go              TestSchedules: many schedules at once
//	schedule_test.go           what a schedule is; generate_test.go makes one of a seed, shrink_test.go makes a failing one smaller
//	simulation_test.go         carries out one schedule; run_test.go gives it a broker of its own
//	shops_and_buyers_test.go   what shops publish and buyers do
//	workers_test.go            the workers' instances, which crash and start again; settings_test.go their credentials
//	link_test.go               an instance's connection to the broker, which can be cut; provider_test.go its calls
//	tries_, foreign_, losses_, silence_, late_acks_test.go   one kind of disturbance each
//	destinations_test.go       what is wrong with the shops' destinations, and the notifier's calls; arrivals_test.go what has to arrive there
//	clock_test.go              moves the time; waiting_test.go says when nothing is left to do
//	check_test.go              what is wrong at the end
//	sabotage_test.go           takes a safeguard away, with faulty_workers_test.go, and expects that check finds it
package chaos

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// options of a run of the tests.
type options struct {
	schedules  *int
	seed       *uint64
	concurrent *int
	shrink     *time.Duration
	trace      *bool
}

// flags are the options that the command line gives.
var flags = options{
	schedules:  flag.Int("schedules", 300, "how many schedules to carry out"),
	seed:       flag.Uint64("seed", 1, "of the first schedule; each following one has the next"),
	concurrent: flag.Int("concurrent", 8*runtime.NumCPU(), "how many schedules at once"),
	shrink:     flag.Duration("shrink", time.Minute, "how long a failing schedule is made smaller"),
	trace:      flag.Bool("trace", false, "print what happened in every schedule"),
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

// reportFailure reports a schedule that failed, with a smaller one that fails too and how to repeat it.
func reportFailure(t *testing.T, b *brokers, r result) {
	small := shrink(r, *flags.shrink, func(s schedule) result {
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
	schedules, concurrent := *flags.schedules, *flags.concurrent
	if testing.Short() { // schedules run in real time, and starve under the race detector when too many run at once
		schedules, concurrent = min(schedules, 24), min(concurrent, 3)
	}
	t.Parallel()
	b := newBrokers(t, patience)
	seeds := make(chan uint64)
	var workers sync.WaitGroup
	var mu sync.Mutex
	interruptions, slowest := map[string]int{}, result{}
	begun := time.Now()
	for range concurrent {
		workers.Go(func() {
			for seed := range seeds {
				r, err := b.run(t.Context(), generate(seed), realWorkers())
				if err != nil {
					t.Error(err)
					continue
				}
				if len(r.problems) > 0 {
					reportFailure(t, b, r)
				}
				if *flags.trace {
					t.Logf("%s", r)
				}
				mu.Lock()
				for at, n := range r.interruptions {
					interruptions[at] += n
				}
				if r.took > slowest.took {
					slowest = r
				}
				mu.Unlock()
			}
		})
	}
	for i := range schedules {
		seeds <- *flags.seed + uint64(i)
	}
	close(seeds)
	workers.Wait()
	all := 0
	for _, at := range slices.Sorted(maps.Keys(interruptions)) {
		all += interruptions[at]
		t.Logf("%4d times: %s", interruptions[at], at)
	}
	t.Logf("%d schedules with %d crashes and lost connections in %s; the slowest, seed %d, took %s",
		schedules, all, time.Since(begun).Round(time.Second), slowest.schedule.Seed, slowest.took.Round(time.Millisecond))
	if everywhere := 6 * 6; schedules >= 300 && len(interruptions) < everywhere {
		t.Errorf("interruptions at %d boundaries of workers, of %d", len(interruptions), everywhere)
	}
}
