package bus

import (
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// filters are subjects with wildcards, taken apart into tokens. No filter at all matches every subject.
type filters [][]string

func filtersOf(subjects []string) filters {
	var f filters
	for _, s := range subjects {
		f = append(f, strings.Split(s, "."))
	}
	return f
}

// match says whether one of the filters matches the subject, by the rules of the broker.
func (f filters) match(subject string) bool {
	if len(f) == 0 {
		return true
	}
	tokens := strings.Split(subject, ".")
	for _, filter := range f {
		if matchTokens(filter, tokens) {
			return true
		}
	}
	return false
}

func matchTokens(filter, tokens []string) bool {
	for i, t := range filter {
		switch {
		case t == ">":
			return len(tokens) > i
		case i >= len(tokens) || t != "*" && t != tokens[i]:
			return false
		}
	}
	return len(filter) == len(tokens)
}

// wholes gives, for each invoice, order, period or parked message that the filters name, the filter of all its messages. ok is false
// when one of them names none by its id.
func (f filters) wholes() (wide []string, ok bool) {
	for _, t := range f {
		if len(t) != 4 {
			return nil, false
		}
		w, id := t[0]+"."+t[1]+"."+t[2]+".*", t[2]
		if t[0] == parkedPrefix {
			w, id = t[0]+".*."+t[2]+"."+t[3], t[3]
		}
		if !events.IsToken(id) {
			return nil, false
		}
		if !slices.Contains(wide, w) {
			wide = append(wide, w)
		}
	}
	return wide, len(f) > 0
}
