package bus

import (
	"cmp"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/window"
)

// schedule says which delivery is handled next. Shops take turns; the deliveries of one order or invoice are handled one after
// another; each terminal of the provider has a window of its own, so a silent or slow terminal takes nothing from the others. It is
// pure: it has no clock and no broker. It is not safe for concurrent use.
type schedule struct {
	most      int // handlers at once for one terminal
	terminals map[string]*terminal
	keys      map[string]*queue // for each key of which a delivery is queued or handled, the deliveries that wait for that one
}

// The bounds of what is kept leased. More goes back to the broker for a while.
const (
	mostQueued       = 5000 // of one shop whose terminal answers
	mostQueuedSilent = 16   // of one shop whose terminal is silent
	firstRoom        = 8    // handlers at once for a terminal that has not answered yet

	firstProbe = time.Second
	mostProbe  = 15 * time.Second
)

// job is a delivery that waits or is being handled.
type job struct {
	lease    *Lease
	seq      uint64
	key      string // names the order or invoice
	shop     string // subject token
	terminal *terminal
}

// terminal is what is known of one terminal of the provider.
type terminal struct {
	name    string
	shop    string // a shop that uses it, with whose credentials it is probed
	window  window.Window
	ring    []*queue // of the shops that have something to do, in turn
	shops   map[string]*queue
	probing bool
	probeAt time.Time     // when a silent terminal may be probed again
	pause   time.Duration // between two probes
}

// queue has the deliveries of one shop, or of one key, in the order of the stream.
type queue struct {
	jobs   []*job
	queued bool // it is in its terminal's ring
	newest bool // the next is taken from the end
}

// long is the length of a queue from which the newest and the oldest delivery are taken in turn: a buyer who orders now does not wait
// until a backlog is worked off.
const long = 64

func (q *queue) push(j *job) {
	i, _ := slices.BinarySearchFunc(q.jobs, j.seq, func(other *job, seq uint64) int { return cmp.Compare(other.seq, seq) })
	q.jobs = slices.Insert(q.jobs, i, j)
}

func (q *queue) pop() *job {
	if q.newest = !q.newest && len(q.jobs) > long; q.newest {
		return q.remove(len(q.jobs) - 1)
	}
	return q.remove(0)
}

func (q *queue) remove(i int) *job {
	j := q.jobs[i]
	q.jobs = slices.Delete(q.jobs, i, i+1)
	return j
}

func newSchedule(most int) *schedule {
	return &schedule{most: most, terminals: map[string]*terminal{}, keys: map[string]*queue{}}
}

func (s *schedule) terminal(name string) *terminal {
	t := s.terminals[name]
	if t == nil {
		t = &terminal{name: name, shops: map[string]*queue{}, window: window.New(window.Limits{First: min(firstRoom, s.most), Least: 1, Most: s.most})}
		s.terminals[name] = t
	}
	return t
}

// add queues a delivery. When its shop has as many queued as it may, the oldest of them, which may be this one, is taken out and given
// as too much.
func (s *schedule) add(j *job, terminal string) (tooMuch *job) {
	t := s.terminal(terminal)
	most := mostQueued
	if t.window.Silent() {
		most = mostQueuedSilent
	}
	j.terminal, t.shop = t, j.shop
	waiting, busy := s.keys[j.key]
	if busy && len(waiting.jobs) >= most {
		return j
	}
	if q := t.shops[j.shop]; q != nil && len(q.jobs) >= most {
		if busy || j.seq < q.jobs[0].seq {
			return j
		}
		tooMuch = q.remove(0)
		s.release(tooMuch)
	}
	if busy {
		waiting.push(j)
		return tooMuch
	}
	s.keys[j.key] = &queue{}
	t.push(j)
	return tooMuch
}

func (t *terminal) push(j *job) {
	q := t.shops[j.shop]
	if q == nil {
		q = &queue{}
		t.shops[j.shop] = q
	}
	q.push(j)
	if !q.queued {
		q.queued = true
		t.ring = append(t.ring, q)
	}
}

// next gives the delivery of the terminal that is to be handled now, nil when there is none.
func (s *schedule) next(t *terminal) *job {
	if t.window.Silent() || !t.window.Free() || len(t.ring) == 0 {
		return nil
	}
	q := t.ring[0]
	t.ring = t.ring[1:]
	j := q.pop()
	if q.queued = len(q.jobs) > 0; q.queued {
		t.ring = append(t.ring, q)
	} else {
		delete(t.shops, j.shop)
	}
	t.window.Begin()
	return j
}

// answer is what the end of a handler says about the terminal.
type answer int

const (
	noCall     answer = iota // the terminal was not asked
	answered                 // it answered, whatever it said
	unanswered               // it gave no answer
)

// ended frees the place of the handler and learns from the answer.
func (s *schedule) ended(j *job, a answer, now time.Time) {
	t := j.terminal
	t.window.End()
	switch a {
	case answered:
		t.window.Answered()
		t.pause = 0
	case unanswered:
		was := t.window.Silent()
		t.window.Unanswered()
		if t.window.Silent() && !was {
			t.probeLater(now)
		}
	}
}

// release queues the next delivery of the same key.
func (s *schedule) release(j *job) {
	waiting := s.keys[j.key]
	if waiting == nil {
		return
	}
	if len(waiting.jobs) == 0 {
		delete(s.keys, j.key)
		return
	}
	next := waiting.pop()
	next.terminal.push(next)
}

// probe says whether the terminal is to be probed now, and if not now, when; zero is never.
func (t *terminal) probe(now time.Time) (begin bool, at time.Time) {
	if !t.window.Silent() || t.probing || len(t.ring) == 0 {
		return false, time.Time{}
	}
	if now.Before(t.probeAt) {
		return false, t.probeAt
	}
	t.probing = true
	return true, time.Time{}
}

// probed learns from a probe. Only the answer to a delivery makes the pause between probes short again: a terminal that answers
// probes and nothing else is not asked again and again.
func (t *terminal) probed(ok bool, now time.Time) {
	t.probing = false
	if ok {
		t.window.Probed()
	} else {
		t.probeLater(now)
	}
}

// probeLater makes the pause before the next probe twice as long as the last.
func (t *terminal) probeLater(now time.Time) {
	t.pause = min(max(2*t.pause, firstProbe), mostProbe)
	t.probeAt = now.Add(t.pause)
}

// excess takes out what is too much to keep leased while the terminal is silent.
func (t *terminal) excess() []*job {
	if !t.window.Silent() {
		return nil
	}
	var out []*job
	for _, q := range t.shops {
		if len(q.jobs) > mostQueuedSilent {
			out = append(out, q.jobs[mostQueuedSilent:]...)
			q.jobs = q.jobs[:mostQueuedSilent:mostQueuedSilent]
		}
	}
	return out
}

// drain takes out all deliveries that wait.
func (s *schedule) drain() []*job {
	var out []*job
	for _, t := range s.terminals {
		for _, q := range t.shops {
			out = append(out, q.jobs...)
		}
		t.ring, t.shops = nil, map[string]*queue{}
	}
	for _, q := range s.keys {
		out = append(out, q.jobs...)
		q.jobs = nil
	}
	return out
}
