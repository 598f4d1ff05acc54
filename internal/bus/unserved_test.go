package bus

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// However many messages there are that a copy does not serve, those that it knows are remembered: they wait no longer for
// another copy, and are not given up together.
func TestManyForeignShopsMessagesAreRememberedWithinABound(t *testing.T) {
	t.Parallel()
	s := NewUnserved(time.Minute)
	now := time.Unix(1000, 0)
	for seq := range uint64(mostUnserved + 1000) {
		if _, d := s.Leave(seq, now); d != 0 {
			t.Fatalf("message %d was seen %s ago", seq, d)
		}
	}
	now = now.Add((askAfter + askFor))
	forgotten := 0
	for seq := range uint64(mostUnserved) {
		if _, d := s.Leave(seq, now); d < (askAfter + askFor) {
			forgotten++
		}
	}
	if forgotten > 0 || len(s.seen) > mostUnserved {
		t.Errorf("%d forgotten, %d remembered", forgotten, len(s.seen))
	}
	now = now.Add(2 * unservedGone) // other copies have handled them
	if s.Leave(mostUnserved+1, now); len(s.seen) != 1 {
		t.Errorf("%d are remembered", len(s.seen))
	}
}

// dealt plays one message that the broker deals to any of the copies until it comes to the one that serves it.
func dealt(copies []*Unserved, seq uint64, random *rand.Rand, at time.Time) (times int, took time.Duration) {
	for now := at; ; times++ {
		i := random.IntN(len(copies))
		if i == 0 {
			return times, now.Sub(at)
		}
		pause, _ := copies[i].Leave(seq, now)
		now = now.Add(pause)
	}
}

// One of ten copies serves the shop: its messages come to it soon, after a number of hand-overs that is the broker's chance.
func TestMessageComesSoonToTheOneCopyThatServesIt(t *testing.T) {
	t.Parallel()
	random, copies := rand.New(rand.NewPCG(1, 2)), make([]*Unserved, 10)
	for i := range copies {
		copies[i] = NewUnserved(30 * time.Second)
	}
	var took []time.Duration
	handed, now := 0, time.Unix(1000, 0)
	for seq := range uint64(2000) {
		n, d := dealt(copies, seq, random, now)
		took, handed, now = append(took, d), handed+n, now.Add(time.Second)
	}
	slices.Sort(took)
	p50, p99 := took[1000], took[1980]
	t.Logf("p50 %s, p99 %s, %.1f hand-overs each", p50, p99, float64(handed)/2000)
	if p99 > 3*time.Second || handed > 10*2000 {
		t.Errorf("p99 %s, %d hand-overs of 2,000 messages", p99, handed)
	}
}

// When no copy serves the shop its messages cost little: few hand-overs of one, and no more a second than a bound of many.
func TestMessagesThatNoCopyServesCostLittle(t *testing.T) {
	t.Parallel()
	s := NewUnserved(30 * time.Second)
	begin := time.Unix(1000, 0)
	times, last := 0, begin.Add(time.Hour)
	for now := begin; now.Before(last); times++ {
		pause, _ := s.Leave(1, now)
		now = now.Add(pause)
	}
	if times > 600 {
		t.Errorf("%d hand-overs of one message in an hour", times)
	}
	s = NewUnserved(30 * time.Second)
	const many = 5000
	due, handed := make([]time.Time, many), 0
	for i := range due {
		due[i] = begin
	}
	for now := begin; now.Before(begin.Add(time.Minute)); now = now.Add(10 * time.Millisecond) {
		for i := range due {
			if !now.Before(due[i]) {
				pause, _ := s.Leave(uint64(i), now)
				due[i], handed = now.Add(pause), handed+1
			}
		}
	}
	t.Logf("%d hand-overs of one in an hour; %d of %d in a minute", times, handed, many)
	if handed > 61*unservedPerSecond+many {
		t.Errorf("%d hand-overs of %d messages in a minute", handed, many)
	}
}
