package poller

import "time"

// instant is a time since the worker was made. It is monotonic: a jump of the wall clock moves no poll.
type instant = time.Duration

// queued is what stands in a queue; it knows its place there.
type queued interface {
	comparable
	at() *int
}

// queue is a binary heap: first is the least by before. An item stands in at most one queue, and at most once.
type queue[T queued] struct {
	items  []T
	before func(a, b T) bool
}

// none is the place of an item that stands in no queue.
const none = -1

func (q *queue[T]) len() int { return len(q.items) }

func (q *queue[T]) first() T { return q.items[0] }

func (q *queue[T]) push(x T) {
	q.items = append(q.items, x)
	*x.at() = len(q.items) - 1
	q.up(len(q.items) - 1)
}

func (q *queue[T]) pop() T {
	x := q.items[0]
	q.remove(x)
	return x
}

// has says whether the item stands in this queue.
func (q *queue[T]) has(x T) bool {
	i := *x.at()
	return i >= 0 && i < len(q.items) && q.items[i] == x
}

func (q *queue[T]) remove(x T) {
	i, last := *x.at(), len(q.items)-1
	var zero T
	if i != last {
		q.swap(i, last)
	}
	q.items[last] = zero
	q.items = q.items[:last]
	*x.at() = none
	if i != last {
		q.settle(i)
	}
}

// moved puts an item right whose order has changed.
func (q *queue[T]) moved(x T) { q.settle(*x.at()) }

func (q *queue[T]) settle(i int) {
	if !q.up(i) {
		q.down(i)
	}
}

func (q *queue[T]) up(i int) (moved bool) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.before(q.items[i], q.items[parent]) {
			return moved
		}
		q.swap(i, parent)
		i, moved = parent, true
	}
	return moved
}

func (q *queue[T]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q.items); child++ {
			if q.before(q.items[child], q.items[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

func (q *queue[T]) swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	*q.items[i].at(), *q.items[j].at() = i, j
}
