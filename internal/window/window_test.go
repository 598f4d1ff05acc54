package window

import (
	"testing"

	"pgregory.net/rapid"
)

func TestWindowFollowsAnswers(t *testing.T) {
	w := New(Limits{First: 8, Least: 1, Most: 32})
	for range 100 {
		w.Answered()
	}
	if w.Room() != 32 || w.Silent() {
		t.Fatalf("after 100 answers: room %d, silent %t", w.Room(), w.Silent())
	}
	for range silentAfter {
		w.Unanswered()
	}
	if w.Room() != 4 || !w.Silent() {
		t.Fatalf("after %d calls without an answer: room %d, silent %t", silentAfter, w.Room(), w.Silent())
	}
	w.Answered()
	if w.Room() != 5 || w.Silent() {
		t.Fatalf("after one more answer: room %d, silent %t", w.Room(), w.Silent())
	}
}

func TestRoomStaysWithinItsLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Limits{First: rapid.IntRange(1, 64).Draw(t, "first"), Least: rapid.IntRange(0, 8).Draw(t, "least"), Most: rapid.IntRange(8, 64).Draw(t, "most")}
		w := New(l)
		for _, answered := range rapid.SliceOf(rapid.Bool()).Draw(t, "answers") {
			if answered {
				w.Answered()
			} else {
				w.Unanswered()
			}
			if w.Room() < max(l.Least, 1) || w.Room() > l.Most {
				t.Fatalf("room %d outside %d to %d", w.Room(), max(l.Least, 1), l.Most)
			}
		}
	})
}
