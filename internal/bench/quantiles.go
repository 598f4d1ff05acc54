package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// Quantiles are the exact quantiles of a set of durations.
type Quantiles struct {
	Count         int
	P50, P99, Max time.Duration
}

// MarshalJSON writes milliseconds, as the names say.
func (q Quantiles) MarshalJSON() ([]byte, error) {
	ms := func(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }
	return json.Marshal(struct {
		Count int     `json:"count"`
		P50   float64 `json:"p50_ms"`
		P99   float64 `json:"p99_ms"`
		Max   float64 `json:"max_ms"`
	}{q.Count, ms(q.P50), ms(q.P99), ms(q.Max)})
}

func (q Quantiles) String() string {
	return fmt.Sprintf("p50 %s, p99 %s, max %s", short(q.P50), short(q.P99), short(q.Max))
}

// short rounds to about three digits.
func short(d time.Duration) string {
	grain := time.Duration(10)
	for grain*1000 <= d {
		grain *= 10
	}
	return d.Round(grain).String()
}

// samples collects durations. It is safe for concurrent use; its zero value collects nothing until start.
type samples struct {
	mu  sync.Mutex
	on  bool
	all []time.Duration
}

func (s *samples) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on {
		s.all = append(s.all, d)
	}
}

// start forgets what was collected, and collects from now on, with room for so many.
func (s *samples) start(room int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on, s.all = true, make([]time.Duration, 0, room)
}

// stop ends the collecting and gives the quantiles.
func (s *samples) stop() Quantiles {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = false
	return quantiles(s.all)
}

// quantiles gives the quantiles by nearest rank. It sorts its argument.
func quantiles(all []time.Duration) Quantiles {
	if len(all) == 0 {
		return Quantiles{}
	}
	slices.Sort(all)
	rank := func(p float64) time.Duration { return all[int(math.Ceil(p*float64(len(all))))-1] }
	return Quantiles{len(all), rank(.5), rank(.99), all[len(all)-1]}
}
