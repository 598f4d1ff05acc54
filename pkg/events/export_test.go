package events

// States gives every state in the order of an invoice's life.
func States() []State {
	var out []State
	for _, r := range stateTable {
		out = append(out, r.state)
	}
	return out
}

// PeriodStates gives every state in the order of a closing.
func PeriodStates() []PeriodState {
	return []PeriodState{PeriodNone, PeriodClosing, PeriodMarked, PeriodReconciled, PeriodMismatched}
}
