package checkout

import (
	"net/url"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func newLinks(t *testing.T, keys ...string) Links {
	t.Helper()
	l, err := NewLinks("https://pay.example.com/", keys)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var oldKey, newKey = strings.Repeat("o", MinKey), strings.Repeat("n", MinKey)

func TestKeyIsOfOneOrderOfOneShop(t *testing.T) {
	l, seen := newLinks(t, newKey), map[string]string{}
	for _, pair := range [][2]string{{"a", "b"}, {"a", "b/c"}, {"a/b", "c"}, {"ab", "c"}, {"a", "bc"}, {"b", "a"}, {"x-a", "b"}, {"å & co", "1 #"}} {
		u, err := url.Parse(l.Page(pair[0], pair[1]))
		if err != nil || u.Host != "pay.example.com" {
			t.Fatalf("%v: %v %v", pair, u, err)
		}
		key := u.Query().Get("key")
		if other := seen[key]; other != "" {
			t.Errorf("%v has the key of %s", pair, other)
		}
		seen[key] = strings.Join(pair[:], ", ")
		if !l.signed(events.OrderKeyOf(pair[0], pair[1]), key) {
			t.Errorf("%v: its own key is refused", pair)
		}
		if l.signed(events.OrderKeyOf(pair[0], pair[1]+"x"), key) || l.signed(events.OrderKeyOf(pair[0], pair[1]), key+"A") || l.signed(events.OrderKeyOf(pair[0], pair[1]), "") {
			t.Errorf("%v: another key is taken", pair)
		}
	}
}

func TestKeysWhileTheyAreReplaced(t *testing.T) {
	k := events.OrderKeyOf("acme", "1001")
	old, both, later := newLinks(t, oldKey), newLinks(t, newKey, oldKey), newLinks(t, newKey)
	keyOf := func(l Links) string { _, key, _ := strings.Cut(l.Page("acme", "1001"), "key="); return key }
	if !both.signed(k, keyOf(old)) || !both.signed(k, keyOf(later)) || keyOf(both) != keyOf(later) || later.signed(k, keyOf(old)) {
		t.Error("the first key signs, every key verifies, and no other")
	}
	if _, err := NewLinks("https://pay.example.com", []string{newKey, "short"}); err == nil || strings.Contains(err.Error(), "short") || !strings.Contains(err.Error(), "key 2") {
		t.Errorf("a short key: %v", err)
	}
	if _, err := NewLinks("https://pay.example.com", nil); err == nil {
		t.Error("no key: no error")
	}
}

func TestSecretOfTheShopsSystem(t *testing.T) {
	hashes := []string{commerce.BuyerKeyHash("wc_order_new"), commerce.BuyerKeyHash("wc_order_old")}
	for key, want := range map[string]bool{"wc_order_new": true, "wc_order_old": true, "wc_order_x": false, "": false, hashes[0]: false} {
		if fromShop(hashes, key) != want {
			t.Errorf("%q: %v", key, !want)
		}
	}
	if fromShop(nil, "") {
		t.Error("an order without a secret is opened by none")
	}
}
