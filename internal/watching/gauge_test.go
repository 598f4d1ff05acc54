package watching

import (
	"testing"
	"time"
)

// An entry that goes from one poller to another is unwatched for a moment, and no alarm; one that nobody takes for 3 s is.
func TestGaugeCountsWhatWasUnwatchedInEverySample(t *testing.T) {
	for name, c := range map[string]struct {
		held            []int // of 5 open invoices, one sample a second, the newest last
		unwatched       int
		someAllTheWhile bool
	}{
		"all are held":                {[]int{5, 5, 5, 5}, 0, false},
		"one changes hands":           {[]int{5, 4, 5, 5}, 0, false},
		"one was dropped just now":    {[]int{5, 5, 5, 4}, 0, false},
		"one is held by nobody":       {[]int{4, 4, 4, 4}, 1, true},
		"two, and then only one":      {[]int{3, 3, 4, 4}, 1, true},
		"more are held than are open": {[]int{6, 6, 6, 6}, 0, false},
		"long ago all were held":      {[]int{5, 5, 3, 3, 3, 3}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			g, now := &Gauge{}, time.Now()
			for i, held := range c.held {
				g.add(sample{now.Add(time.Duration(i+1-len(c.held)) * time.Second), 5, held})
			}
			open, unwatched, ok := g.Count()
			if open != 5 || unwatched != c.unwatched || !ok {
				t.Errorf("open %d, unwatched %d, known %v; expected 5, %d, true", open, unwatched, ok, c.unwatched)
			}
			if since := g.Unwatched(); (since >= 3*time.Second) != c.someAllTheWhile {
				t.Errorf("some invoice was unwatched for %s", since)
			}
		})
	}
}

func TestGaugeHasNoFiguresOfLongAgo(t *testing.T) {
	g := &Gauge{}
	if _, _, ok := g.Count(); ok {
		t.Error("figures before the first sample")
	}
	g.add(sample{time.Now().Add(-2*livesFor - time.Second), 5, 0})
	if _, _, ok := g.Count(); ok {
		t.Error("figures although nothing was counted for 7 s")
	}
	if d := g.Unwatched(); d != 0 {
		t.Errorf("unwatched for %s although nothing was counted lately", d)
	}
}
