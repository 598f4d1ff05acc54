package audit

import (
	"context"
	"testing"
	"time"
)

func TestPollsGiveTheLongestGapOfAnInvoice(t *testing.T) {
	p := NewPolls()
	p.Issued("polled")
	p.Issued("never polled")
	p.open["polled"].last = time.Now().Add(-time.Minute)
	p.open["never polled"].last = time.Now().Add(-time.Hour)
	p.Answered("polled", true)
	if open, waiting := p.Open(time.Now().Add(time.Hour)); open != 1 || waiting != 1 {
		t.Errorf("%d open, %d waiting; expected 1 and 1", open, waiting)
	}
	p.Answered("polled", false)
	p.Answered("polled", false)
	g := p.Longest()
	polls, longer := p.Count(59 * time.Second)
	if g.Reference != "polled" || g.Length < time.Minute || g.Length > 2*time.Minute || polls != 3 || longer != 1 {
		t.Errorf("longest %+v, %d polls, %d longer than 59 s", g, polls, longer)
	}
	if open, _ := p.Open(time.Now()); open != 0 {
		t.Errorf("%d open after the last answer", open)
	}
}

func TestPollsCountAfterARestart(t *testing.T) {
	p := NewPolls()
	p.Answered("1", true)
	if err := p.WaitForOpen(t.Context(), 1); err != nil || p.First("1").IsZero() {
		t.Errorf("%v, first answer %s", err, p.First("1"))
	}
	p.open["1"].last = time.Now().Add(-time.Hour)
	p.Restart()
	if polls, _ := p.Count(0); polls != 0 || p.Longest().Length > time.Minute {
		t.Errorf("%d polls, longest %+v", polls, p.Longest())
	}
	p.open["1"].last = time.Now().Add(-time.Minute) // no answer since
	if g := p.Longest(); g.Length < time.Minute {
		t.Errorf("longest %+v of an invoice that is open", g)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if p.WaitForOpen(ended, 2) == nil {
		t.Error("two invoices are open")
	}
}
