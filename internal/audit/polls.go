package audit

import (
	"context"
	"sync"
	"time"
)

// Polls notes when the status of each open invoice was answered. An invoice counts from Issued, or from its first answer, until the
// first answer that it is not open. It is safe for concurrent use.
type Polls struct {
	mu      sync.Mutex
	open    map[string]*polledInvoice // by invoiceReference
	gaps    map[string]Gap            // the longest of each invoice
	first   map[string]time.Time      // answer about each invoice
	answers int
	more    chan struct{} // closed when another invoice was answered about for the first time
}

type polledInvoice struct {
	last    time.Time // when it was answered about, or issued
	answers int
}

// Gap is a time without an answer about one invoice, or without an event.
type Gap struct {
	Reference string // of the invoice, or the key of the invoice whose event ends it
	From      time.Time
	Length    time.Duration
}

// NewPolls gives a Polls that has noted nothing.
func NewPolls() *Polls {
	return &Polls{open: map[string]*polledInvoice{}, gaps: map[string]Gap{}, first: map[string]time.Time{}, more: make(chan struct{})}
}

// Issued notes that the provider has made an invoice.
func (p *Polls) Issued(reference string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[reference] = &polledInvoice{last: time.Now()}
}

// Answered notes that the status of an invoice was answered, and whether it is open.
func (p *Polls) Answered(reference string, open bool) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers++
	i := p.open[reference]
	switch {
	case i == nil && !open:
		return
	case i == nil:
		i = &polledInvoice{last: now}
		p.open[reference] = i
	case now.Sub(i.last) > p.gaps[reference].Length:
		p.gaps[reference] = Gap{reference, i.last, now.Sub(i.last)}
	}
	i.last = now
	if i.answers++; i.answers == 1 {
		p.first[reference] = now
		close(p.more)
		p.more = make(chan struct{})
	}
	if !open {
		delete(p.open, reference)
	}
}

// Restart forgets all answers but the first ones, and counts from now on.
func (p *Polls) Restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, i := range p.open {
		i.last = now
	}
	clear(p.gaps)
	p.answers = 0
}

// Longest is the longest gap of any invoice that was polled. That of an open one lasts until now.
func (p *Polls) Longest() (longest Gap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.gaps {
		if g.Length > longest.Length {
			longest = g
		}
	}
	now := time.Now()
	for reference, i := range p.open {
		if gap := now.Sub(i.last); i.answers > 0 && gap > longest.Length {
			longest = Gap{reference, i.last, gap}
		}
	}
	return longest
}

// Count is how many polls were answered, and how many invoices have a gap longer than d.
func (p *Polls) Count(d time.Duration) (answers, longer int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.gaps {
		if g.Length > d {
			longer++
		}
	}
	return p.answers, longer
}

// Open is how many open invoices have been polled, and how many of these have not been since t.
func (p *Polls) Open(t time.Time) (open, waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.open {
		if i.answers == 0 {
			continue
		}
		if open++; i.last.Before(t) {
			waiting++
		}
	}
	return open, waiting
}

// WaitForOpen waits until so many open invoices have been polled.
func (p *Polls) WaitForOpen(ctx context.Context, n int) error {
	for {
		p.mu.Lock()
		more := p.more
		p.mu.Unlock()
		if open, _ := p.Open(time.Time{}); open >= n {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// First is when the invoice was answered about for the first time.
func (p *Polls) First(reference string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first[reference]
}
