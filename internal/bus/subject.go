package bus

import (
	"strings"
)

// token gives the n-th token of a subject, counted from 0; "" when it has fewer.
func token(subject string, n int) string {
	for range n {
		i := strings.IndexByte(subject, '.')
		if i < 0 {
			return ""
		}
		subject = subject[i+1:]
	}
	t, _, _ := strings.Cut(subject, ".")
	return t
}

// keyOf gives a subject without its last token, the event: what is left names the order, invoice or period.
func keyOf(subject string) string {
	for i := len(subject) - 1; i > 0; i-- {
		if subject[i] == '.' {
			return subject[:i]
		}
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
