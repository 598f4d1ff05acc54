package bus

import "sync"

// turns lets the deliveries of one order or invoice be handled one after another in this process, so
// that the same order published twice in a row does not ask the provider for two bills. Copies of the
// worker in other processes are kept apart by the stream's sequence alone.
type turns struct {
	mu sync.Mutex
	of map[string]*turn
}

type turn struct {
	sync.Mutex
	waiting int
}

// take waits for the subject's turn and gives what ends it.
func (t *turns) take(subject string) (done func()) {
	k := invoiceOf(subject)
	t.mu.Lock()
	one := t.of[k]
	if one == nil {
		one = &turn{}
		t.of[k] = one
	}
	one.waiting++
	t.mu.Unlock()
	one.Lock()
	return func() {
		one.Unlock()
		t.mu.Lock()
		if one.waiting--; one.waiting == 0 {
			delete(t.of, k)
		}
		t.mu.Unlock()
	}
}
