package commerce

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// CheckEndpoint gives an error unless the address is an https URL without credentials; http is allowed to this machine alone.
func CheckEndpoint(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("expected a URL such as https://shop.example, got %q", withoutUser(raw))
	case u.Port() != "" && !isPort(u.Port()):
		return fmt.Errorf("expected a port of 1 to 65535, got %q", withoutUser(raw))
	case u.User != nil:
		return fmt.Errorf("expected a URL without a user or password, got %q", withoutUser(raw))
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("expected https (http only to this machine), got %q", raw)
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// withoutUser leaves out what may be a password.
func withoutUser(raw string) string {
	if scheme, rest, ok := strings.Cut(raw, "://"); ok {
		if _, host, ok := strings.Cut(rest, "@"); ok {
			return scheme + "://" + host
		}
	}
	return raw
}
