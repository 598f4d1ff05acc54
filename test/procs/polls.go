package procs

import (
	"sync"
	"time"
)

// Polls notes when the status of each open invoice was answered. An invoice counts from the answer to its sendInvoice until the
// first status that is not ISSUED. One that was never polled was never recorded, and its QR code shown to no buyer. It is safe for
// concurrent use.
type Polls struct {
	mu    sync.Mutex
	open  map[string]*polledInvoice
	all   int
	gaps  map[string]Gap // the longest of each invoice
	since time.Time
}

type polledInvoice struct {
	last time.Time
	n    int
}

// Gap is a time without an answer about one invoice, or without an event.
type Gap struct {
	Reference string // of the invoice
	From      time.Time
	Length    time.Duration
}

func newPolls() *Polls {
	return &Polls{open: map[string]*polledInvoice{}, gaps: map[string]Gap{}, since: time.Now()}
}

func (p *Polls) issued(ref string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[ref] = &polledInvoice{last: time.Now()}
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

// Longest is the longest gap of any invoice so far.
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

// Count is how many polls were answered, and how many invoices have a gap longer than d.
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

// Open is how many open invoices have been polled, and how many of these have not been since t.
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
