package procs

import (
	"sync"
	"time"
)

// Polls is what the provider saw of how each open invoice was asked about. An invoice counts from the
// answer to its sendInvoice until the first answer that is not ISSUED; a bill that was never asked about
// was never published, and nobody could pay it.
type Polls struct {
	mu    sync.Mutex
	open  map[string]*polled
	all   int
	gaps  map[string]Gap // the longest of each invoice
	since time.Time
}

type polled struct {
	last time.Time
	n    int
}

// Gap is a time in which one invoice was not asked about.
type Gap struct {
	Reference string
	From      time.Time
	Length    time.Duration
}

func newPolls() *Polls {
	return &Polls{open: map[string]*polled{}, gaps: map[string]Gap{}, since: time.Now()}
}

func (p *Polls) issued(ref string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[ref] = &polled{last: time.Now()}
}

func (p *Polls) answered(ref, status string) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all++
	o := p.open[ref]
	if o == nil {
		return
	}
	if gap := now.Sub(o.last); gap > p.gaps[ref].Length {
		p.gaps[ref] = Gap{ref, o.last, gap}
	}
	o.last, o.n = now, o.n+1
	if status != "ISSUED" {
		delete(p.open, ref)
	}
}

// Longest gap of any invoice so far, those that are still open included.
func (p *Polls) Longest() Gap {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest Gap
	for _, g := range p.gaps {
		if g.Length > longest.Length {
			longest = g
		}
	}
	return longest
}

// Count of the answered polls, and of the invoices whose longest gap was more than d.
func (p *Polls) Count(d time.Duration) (polls, longer int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.gaps {
		if g.Length > d {
			longer++
		}
	}
	return p.all, longer
}

// Open is how many invoices are asked about, and how many of them have not been since t.
func (p *Polls) Open(t time.Time) (open, waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.open {
		if o.n == 0 {
			continue
		}
		if open++; o.last.Before(t) {
			waiting++
		}
	}
	return open, waiting
}
