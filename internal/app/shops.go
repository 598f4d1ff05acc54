package app

import "github.com/seqrflow/seqrflow/pkg/seqr"

// Terminal gives the credentials of a shop's payment calls.
func (l ShopList) Terminal(shop string) (seqr.Principal, bool) {
	s, ok := l.Of(shop)
	return seqr.Terminal(s.Terminal, s.Password), ok
}

// Credentials gives the credentials that a shop's periods are closed with: the reseller's where there
// are any, else the terminal's own.
func (l ShopList) Credentials(shop string) (as seqr.Principal, terminal string, ok bool) {
	s, ok := l.Of(shop)
	if s.Reseller == "" {
		return seqr.Terminal(s.Terminal, s.Password), s.Terminal, ok
	}
	return seqr.ResellerUser(s.Reseller, s.ResellerUser, s.ResellerPassword), s.Terminal, ok
}
