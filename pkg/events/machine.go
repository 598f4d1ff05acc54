package events

import (
	"context"
	"fmt"

	"github.com/looplab/fsm"
)

// step is an event in a state.
type step struct{ from, event string }

// evaluate asks the state machine where each event leads from each state. A step that is not allowed
// is not in the result. The machine is built once and put into each state in turn.
func evaluate(evs fsm.Events, states, labels []string) map[step]string {
	m, to := fsm.NewFSM("", evs, nil), map[step]string{}
	for _, from := range states {
		for _, l := range labels {
			if m.SetState(from); !m.Can(l) {
				continue
			}
			if err := m.Event(context.Background(), l); err != nil {
				if _, same := err.(fsm.NoTransitionError); !same {
					panic(fmt.Sprintf("events: %s on %s: %v", l, from, err))
				}
			}
			to[step{from, l}] = m.Current()
		}
	}
	return to
}
