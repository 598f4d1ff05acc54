package bus

import (
	"errors"
	"net/url"
	"strings"
)

// Address gives the URL of a broker, or the list of URLs, without the credentials that may stand in it: for logs and messages.
func Address(raw string) string {
	// url.Parse does not do: a token stands where a user's name does, and of a list only the first would be parsed.
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

// CheckAddress gives an error for an address that cannot be that of a broker.
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
