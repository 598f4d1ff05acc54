package bus

import (
	"errors"
	"net/url"
	"strings"
)

// Address shows where the brokers of a URL, or of a list of them, are, without the credentials that may
// stand in it: a token stands where a user's name does, and only the first of a list would be parsed.
func Address(raw string) string {
	all := strings.Split(raw, ",")
	for i, one := range all {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(one), "://")
		if !ok {
			scheme, rest = "nats", scheme
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = rest[at+1:]
		}
		all[i] = scheme + "://" + rest
	}
	return strings.Join(all, ",")
}

// errAddress never quotes the URL: a mistaken one may hold a password.
var errAddress = errors.New("the broker's address is not a URL such as nats://host:4222")

// CheckAddress says whether the brokers can be tried at all.
func CheckAddress(raw string) error {
	for one := range strings.SplitSeq(raw, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		if _, err := url.Parse(one); err != nil {
			return errAddress
		}
	}
	return nil
}
