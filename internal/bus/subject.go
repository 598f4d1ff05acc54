package bus

import (
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// token gives the n-th token of a subject, counted from 0; "" when it has fewer.
func token(subject string, n int) string {
	for t := range strings.SplitSeq(subject, ".") {
		if n == 0 {
			return t
		}
		n--
	}
	return ""
}

// keyOf gives a subject without its last token, the event: what is left names the order, invoice or period.
func keyOf(subject string) string {
	if i := strings.LastIndexByte(subject, '.'); i > 0 {
		return subject[:i]
	}
	return subject
}

// addressee gives the shop and the id that a subject names, whatever the subject is.
func addressee(subject string) (shop, id string) {
	t := strings.Split(subject, ".")
	if len(t) == 3 && t[0] == "open" {
		return t[1], t[2]
	}
	if len(t) < 4 {
		return "unknown", subject
	}
	return t[1], strings.Join(t[2:len(t)-1], ".")
}

// shopOf gives the place of the shop's token in the subjects that begin with the prefix.
func shopOf(prefix string) int {
	if prefix == parkedPrefix {
		return 2
	}
	return 1
}

// parkedPrefix is the first token of the subjects of PARKED, in which the worker stands before the shop.
const parkedPrefix = "parked"

// filters are subjects with wildcards, taken apart into tokens. No filter at all matches every subject.
type filters [][]string

func filtersOf(subjects []string) filters {
	var f filters
	for _, s := range subjects {
		f = append(f, strings.Split(s, "."))
	}
	return f
}

// match says whether one of the filters matches the subject.
func (f filters) match(subject string) bool {
	if len(f) == 0 {
		return true
	}
	tokens := strings.Split(subject, ".")
	return slices.ContainsFunc(f, func(filter []string) bool { return covers(filter, tokens) })
}

// Covers says whether every subject that b matches is matched by a, by the rules of the broker.
func Covers(a, b string) bool { return covers(strings.Split(a, "."), strings.Split(b, ".")) }

func covers(a, b []string) bool {
	for i, t := range a {
		switch {
		case t == ">":
			return len(b) > i
		case i >= len(b) || b[i] == ">" || t != "*" && t != b[i]:
			return false
		}
	}
	return len(a) == len(b)
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
