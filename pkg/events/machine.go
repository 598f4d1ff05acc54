package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/looplab/fsm"
)

// step is an event in a state.
type step struct{ from, event string }

// evaluate asks looplab/fsm where each event of the table leads from each state. The machine is built once and put into
// each state in turn.
func evaluate(table fsm.Events) map[step]string {
	m, to := fsm.NewFSM("", table, nil), map[step]string{}
	for _, e := range table {
		for _, from := range e.Src {
			m.SetState(from)
			if err := m.Event(context.Background(), e.Name); err != nil && !errors.As(err, new(fsm.NoTransitionError)) {
				panic(fmt.Sprintf("events: %s on %s: %v", e.Name, from, err))
			}
			to[step{from, e.Name}] = m.Current()
		}
	}
	return to
}
