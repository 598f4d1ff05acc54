package app

import (
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Of finds a shop's entry by its id or its subject token, or the one for any shop.
func (l ShopList) Of(shop string) (Shop, bool) {
	if s, ok := l[shop]; ok {
		return s, true
	}
	for id, s := range l {
		if id != AnyShop && events.Token(id) == shop {
			return s, true
		}
	}
	s, ok := l[AnyShop]
	return s, ok
}

// Terminal gives the credentials that a shop's new invoices are issued with.
func (l ShopList) Terminal(shop string) (seqr.Principal, bool) {
	s, ok := l.Of(shop)
	return seqr.Terminal(s.Terminal, s.Password), ok
}

// TerminalOf gives the credentials that an invoice of the shop was issued with, today's or earlier ones.
func (l ShopList) TerminalOf(shop, terminal string) (seqr.Principal, bool) {
	s, ok := l.Of(shop)
	if ok && s.Terminal == terminal {
		return seqr.Terminal(s.Terminal, s.Password), true
	}
	for _, e := range s.EarlierTerminals {
		if e.Terminal == terminal {
			return seqr.Terminal(e.Terminal, e.Password), true
		}
	}
	// A shop that once had no entry of its own was served by the one for any shop.
	if a, any := l[AnyShop]; any && a.Terminal == terminal {
		return seqr.Terminal(a.Terminal, a.Password), true
	}
	return seqr.Principal{}, false
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
