package events

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// orderFieldRules are the optional fields of an order event whose absence changes what happens, so that a
// name or a value that was meant for one must not be taken for its absence.
type orderFieldRules struct {
	known    fieldNames // all fields of the event
	guarded  []string   // a name near one of these is refused
	optional []string   // of the guarded ones: null and "" are refused
}

var (
	placedRules = orderFieldRules{
		known:    fieldsOf(reflect.TypeFor[Order]()),
		guarded:  []string{"invoiceId", "validFor", "rows", "total", "currency", "backUrl"},
		optional: []string{"invoiceId", "validFor", "backUrl"},
	}
	canceledRules = orderFieldRules{
		known:    fieldsOf(reflect.TypeFor[Cancellation]()),
		guarded:  []string{"invoiceId", "keepPaid"},
		optional: []string{"invoiceId", "keepPaid"},
	}
	returnedRules = orderFieldRules{
		known:    fieldsOf(reflect.TypeFor[Return]()),
		guarded:  []string{"amount", "rows", "currency", "invoiceId", "refundId"},
		optional: []string{"amount", "rows", "currency", "invoiceId"},
	}
)

// checkFields notes fields whose names are near that of a guarded one, and optional fields that are given
// without a value; the latter read as absent afterwards.
func (r reader) checkFields(rules orderFieldRules) {
	for _, key := range slices.Sorted(maps.Keys(r.fields)) {
		switch {
		case slices.Contains(rules.optional, key):
			if v := r.fields[key]; bytes.Equal(v, []byte("null")) || bytes.Equal(v, []byte(`""`)) {
				r.note(key, "expected a value, got %s; leave the field out if none is meant", v)
				delete(r.fields, key)
			}
		case rules.known[key]:
		default:
			all := slices.Concat(rules.guarded, slices.Collect(maps.Keys(rules.known))) // of two that are as near, a guarded one counts
			if meant := nearest(key, all); slices.Contains(rules.guarded, meant) {
				r.note(shown(key), "unknown field with a name like that of %q: expected %q, or a name that cannot be mistaken for it", meant, meant)
			}
		}
	}
}

// shown is a key of the shop's own as it stands in a path: quoted unless it is a plain word.
func shown(key string) string {
	if IsToken(key) {
		return key
	}
	return fmt.Sprintf("%q", clip(key, 40))
}

// A misspelt name differs from the known one in a letter or two: each inserted, left out, replaced or exchanged with its
// neighbour. Of a short name only one may differ.
const (
	maxEdits  = 2
	shortName = 4
)

// words are ordinary names of other things that are near a known name.
var words = []string{"account", "accounts", "count", "counts", "mount"}

// nearest finds the name that the key may be a misspelling of, in whatever case; "" for none.
func nearest(key string, names []string) (found string) {
	if slices.Contains(words, key) {
		return ""
	}
	least := maxEdits + 1
	for _, name := range names {
		n := edits([]rune(strings.ToLower(key)), []rune(strings.ToLower(name)))
		if n < least && (n <= 1 || len(name) > shortName) {
			found, least = name, n
		}
	}
	return found
}

// edits counts the edits that make b of a, as far as [maxEdits]; beyond it the result is only more than that.
func edits(a, b []rune) int {
	if d := len(a) - len(b); d > maxEdits || d < -maxEdits {
		return maxEdits + 1
	}
	var before, last, row []int // the rows of i-2, i-1 and i letters of a
	for j := range len(b) + 1 {
		last = append(last, j)
	}
	for i := 1; i <= len(a); i++ {
		row = append(make([]int, 0, len(b)+1), i)
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			n := min(replaced, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				n = min(n, before[j-2]+1)
			}
			row = append(row, n)
		}
		before, last = last, row
	}
	return last[len(b)]
}

// checkDuplicates notes every key that the object has more than once: JSON does not say which one counts.
func (r reader) checkDuplicates(body []byte) {
	given := map[string]int{}
	for key := range members(body) {
		given[key]++
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if given[key] > 1 {
			r.note(shown(key), "expected once, got %d times", given[key])
		}
	}
}
