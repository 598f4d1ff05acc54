package outbound

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrRefused says that an address is none that a shop's system may have.
var ErrRefused = errors.New("the address is refused")

// isThisMachine says whether a host of a URL is this machine by its very name.
func isThisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// private are the networks that allow_private opens, besides this machine's own addresses.
var private = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")

// never are the networks of which no shop's system has an address: of one link, where cloud services give out credentials; for many
// receivers; reserved; and those of IPv6 whose addresses have one of IPv4 inside, which would have to be checked by the other end.
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:db8::/32", "2002::/16", "fd00:ec2::/32", "fe80::/10", "fec0::/10", "ff00::/8",
)

func prefixes(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// refuse gives an error that wraps ErrRefused unless the address may be connected to.
func refuse(a netip.Addr, allowPrivate bool) error {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() {
		if allowPrivate {
			return nil
		}
		return fmt.Errorf("%w: %s is this machine (allow_private allows it)", ErrRefused, a)
	}
	for _, p := range never {
		if p.Contains(a) {
			return fmt.Errorf("%w: %s is in %s", ErrRefused, a, p)
		}
	}
	for _, p := range private {
		if p.Contains(a) && !allowPrivate {
			return fmt.Errorf("%w: %s is in the private network %s (allow_private allows it)", ErrRefused, a, p)
		}
	}
	return nil
}
