package procs

import (
	"testing"
	"time"
)

func TestPollsGiveTheLongestGapOfAnOpenInvoice(t *testing.T) {
	p := newPolls()
	p.issued("seen")
	p.issued("unseen")
	p.open["seen"].last = p.open["seen"].last.Add(-time.Minute)
	p.answered("seen", "ISSUED")
	if open, waiting := p.Open(time.Now().Add(time.Hour)); open != 1 || waiting != 1 {
		t.Errorf("%d open, %d waiting; want 1 and 1", open, waiting)
	}
	p.answered("seen", "PAID")
	p.answered("seen", "PAID")
	g := p.Longest()
	polls, longer := p.Count(59 * time.Second)
	if g.Reference != "seen" || g.Length < time.Minute || g.Length > 2*time.Minute || polls != 3 || longer != 1 {
		t.Errorf("longest %+v, %d polls, %d longer than 59 s", g, polls, longer)
	}
	if open, _ := p.Open(time.Now()); open != 0 {
		t.Errorf("%d open after PAID", open)
	}
}
