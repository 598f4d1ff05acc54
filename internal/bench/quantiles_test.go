package bench

import (
	"testing"
	"time"
)

func TestQuantiles(t *testing.T) {
	var all []time.Duration
	for i := 200; i > 0; i-- {
		all = append(all, time.Duration(i))
	}
	if got, want := quantiles(all), (Quantiles{Count: 200, P50: 100, P99: 198, Max: 200}); got != want {
		t.Errorf("got %v, expected %v", got, want)
	}
	if got := quantiles([]time.Duration{7}); got != (Quantiles{1, 7, 7, 7}) {
		t.Errorf("of one: %v", got)
	}
	if got := quantiles(nil); got != (Quantiles{}) {
		t.Errorf("of none: %v", got)
	}
}

func TestSamplesCountOnlyBetweenStartAndStop(t *testing.T) {
	var s samples
	s.add(1)
	s.start(2)
	s.add(2)
	s.add(3)
	if q := s.stop(); q.Count != 2 || q.Max != 3 {
		t.Errorf("%+v", q)
	}
	s.add(4)
	s.start(1)
	if q := s.stop(); q.Count != 0 {
		t.Errorf("a new start keeps %+v", q)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234567890: "1.23s", 123456789: "123ms", 12345678: "12.3ms", 0: "0s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %s, expected %s", d, got, want)
		}
	}
}
