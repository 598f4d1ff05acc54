package checkout

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// MinKey is how many characters a checkout key has at least.
const MinKey = 32

// Links makes the addresses of checkout pages, and knows the keys in them. It is safe for concurrent use.
type Links struct {
	base string
	keys []string // the first signs, all verify
}

// NewLinks makes links under the address by which buyers reach the gateway. The first key signs; the others are old ones, whose
// links are still good.
func NewLinks(baseURL string, keys []string) (Links, error) {
	if len(keys) == 0 {
		return Links{}, errors.New("checkout.key_file: missing")
	}
	for i, k := range keys {
		if len(k) < MinKey {
			return Links{}, fmt.Errorf("checkout.key_file: key %d: expected at least %d characters, got %d", i+1, MinKey, len(k))
		}
	}
	return Links{strings.TrimSuffix(baseURL, "/"), keys}, nil
}

// Page gives the address of an order's checkout page. It has the order's key: who has it sees the order and may cancel it.
func (l Links) Page(shop, order string) string {
	k := events.OrderKeyOf(shop, order)
	return l.base + pathOf(k) + "?key=" + l.sign(l.keys[0], k)
}

// Return gives an address for an order's backUrl. It has no key: the buyer's browser keeps that of the page in a cookie.
func (l Links) Return(shop, order string) string {
	return l.base + pathOf(events.OrderKeyOf(shop, order)) + "/return"
}

func pathOf(k events.OrderKey) string { return "/pay/" + k.Shop + "/" + k.Order }

// sign gives the key of an order. A token has no slash, so that two orders never have the same text.
func (Links) sign(key string, k events.OrderKey) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("seqrflow checkout 1\n" + k.Shop + "/" + k.Order))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// signed says whether the key is one of ours for the order. The time it takes does not depend on the key.
func (l Links) signed(k events.OrderKey, key string) bool {
	ok := 0
	for _, own := range l.keys {
		ok |= subtle.ConstantTimeCompare([]byte(l.sign(own, k)), []byte(key))
	}
	return ok == 1
}

// fromShop says whether the key is the secret that the shop's system has given to the buyer, by one of the order's hashes.
func fromShop(hashes []string, key string) bool {
	ok, sum := 0, []byte(commerce.BuyerKeyHash(key))
	for _, h := range hashes {
		ok |= subtle.ConstantTimeCompare([]byte(h), sum)
	}
	return ok == 1
}

// isOwn says whether an address is one of our own pages.
func (l Links) isOwn(raw string) bool {
	own, err := url.Parse(l.base)
	u, uerr := url.Parse(raw)
	return err == nil && uerr == nil && strings.EqualFold(u.Host, own.Host) && strings.HasPrefix(u.Path, own.Path+"/pay/")
}
