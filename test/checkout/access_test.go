package checkout

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/checkout"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Whatever is wrong about the key, everything answers as it does for an order that does not exist.
func TestWithoutItsKeyAnOrderIsUnknown(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.placed("1001")
	s.placed("1002")
	key := func(order string) string { u, _ := url.Parse(s.page(order)); return u.Query().Get("key") }
	other, err := checkout.NewLinks(s.srv.URL, []string{"another key, which is nobody's: 40 letters"})
	if err != nil {
		t.Fatal(err)
	}
	foreign, _ := url.Parse(other.Page(rig.Shop, "1001"))
	for name, k := range map[string]string{"none": "", "another order's": key("1002"), "another checkout's": foreign.Query().Get("key"), "cut": key("1001")[:20], "longer": key("1001") + "A"} {
		for _, path := range []string{"", "/poll", "/live", "/status", "/qr.svg", "/qr.png", "/cancel", "POST/cancel", "POST/again"} {
			ask := func(order string) (int, string) {
				path, posts := strings.CutPrefix(path, "POST")
				address := s.srv.URL + "/pay/acme/" + order + path + "?key=" + url.QueryEscape(k)
				a := s.get(address)
				if posts {
					a = s.post(address, "invoice="+order+"&after="+order)
				}
				return a.StatusCode, strings.ReplaceAll(a.text, "/"+order, "/ORDER")
			}
			code, text := ask("1001")
			wantCode, want := ask("nothing")
			if code != http.StatusNotFound || wantCode != code || text != want {
				t.Errorf("%s key, %s: %d; an unknown order: %d\n%s\n%s", name, path, code, wantCode, text, want)
			}
		}
	}
	if a := s.get(s.page("nothing")); a.StatusCode != http.StatusNotFound {
		t.Errorf("a good key of an order that was not placed: %d", a.StatusCode)
	}
	if got := s.lastOrders(); got != 2 {
		t.Errorf("%d events of orders, expected the two", got)
	}
}

func (s *shop) lastOrders() uint64 {
	s.t.Helper()
	n, err := s.Bus.LastSeq(s.t.Context(), events.OrdersStream)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestAnOrderIsOpenedByEachOfItsKeys(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := order("10/01 #å")
	o.BuyerKeyHash = commerce.BuyerKeyHash("wc_order_Abc123")
	s.Place(o)
	s.Wait(o.OrderID, events.EventIssued)
	old, err := checkout.NewLinks(s.srv.URL, []string{oldKey})
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{
		"the new key":         s.page(o.OrderID),
		"an old key":          old.Page(rig.Shop, o.OrderID),
		"the shop's secret":   s.srv.URL + "/pay/acme/" + url.PathEscape(o.OrderID) + "?key=wc_order_Abc123",
		"the same, its token": s.srv.URL + "/pay/acme/" + events.Token(o.OrderID) + "?key=wc_order_Abc123",
	} {
		a := s.get(address)
		s.has(a, `data-state="scan"`, "10/01 #å", "Kaffebönan", "Espressobönor, mörkrost &amp; &lt;färsk&gt;", "SEK\u00a01,249.50")
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
}

func TestHeadersKeepThePageToItself(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.placed("1001")
	a := s.get(s.page("1001"))
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors https://shop.example",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, expected %q", name, got, want)
		}
	}
	for _, inline := range []string{"<style", " style=", "javascript:", " onclick=", "https://", `="//`} {
		s.lacks(a, inline)
	}
	o := order("1001")
	o.Shop = "elsewhere" // no settings
	s.Place(o)
	s.shows(s.links.Page("elsewhere", "1001"), checkout.Scan)
	b := s.get(s.links.Page("elsewhere", "1001"))
	if !strings.HasSuffix(b.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || b.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("a shop that names no site may be framed: %v", b.Header)
	}
	s.has(b, `id="shop">elsewhere<`)
	for _, file := range []string{"style.", "checkout.", "logo-acme.", "shop-acme."} {
		_, rest, ok := strings.Cut(a.text, "/pay/~/"+file)
		name, _, _ := strings.Cut(rest, `"`)
		f := s.get(s.srv.URL + "/pay/~/" + file + name)
		if !ok || f.StatusCode != http.StatusOK || !strings.Contains(f.Header.Get("Cache-Control"), "immutable") || !strings.Contains(f.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s%s: %d %v", file, name, f.StatusCode, f.Header)
		}
	}
}

// No key is in the log, whatever happens, nor in an event.
func TestKeysStayOutOfLogsAndEvents(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := order("1001")
	o.BuyerKeyHash, o.BackURL = commerce.BuyerKeyHash("wc_order_Abc123"), s.links.Return(rig.Shop, "1001")
	s.Place(o)
	inv := s.Wait("1001", events.EventIssued)
	pages := []string{s.page("1001"), s.srv.URL + "/pay/acme/1001?key=wc_order_Abc123"}
	for _, p := range pages {
		for _, path := range []string{"", "/status", "/poll", "/return", "/cancel", "/qr.png"} {
			s.get(below(p, path))
		}
	}
	s.post(below(pages[1], "/cancel"), "invoice=1001")
	s.shows(pages[1], checkout.Canceled)
	s.post(below(pages[0], "/again"), "after=1001")
	s.Wait("1001-2", events.EventIssued)
	s.way.cut()
	s.get(pages[0])
	s.post(below(pages[0], "/cancel"), "invoice=1001-2")
	u, _ := url.Parse(pages[0])
	if inv.Order.BackURL != o.BackURL {
		t.Errorf("backUrl %q", inv.Order.BackURL)
	}
	text := s.log.String()
	if !strings.Contains(text, `"asked":"again"`) || !strings.Contains(text, "cannot read an order") {
		t.Errorf("the log: %s", text)
	}
	for _, secret := range []string{u.Query().Get("key"), "wc_order_Abc123", newKey} {
		if strings.Contains(text, secret) || strings.Contains(o.BackURL, secret) {
			t.Errorf("%q is in the log or in an event:\n%s", secret, text)
		}
	}
}

// Who has one order's link cannot use up the gateway's connections: a page that has no stream asks instead.
func TestAnOrderHasAFewStreams(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.placed("1001")
	s.placed("1002")
	n := 0
	for ; n < 200; n++ {
		resp := s.stream(s.page("1001"))
		if resp.StatusCode == http.StatusServiceUnavailable {
			break
		}
		if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Fatalf("%d %s", resp.StatusCode, got)
		}
	}
	if n < 10 || n == 200 {
		t.Errorf("%d streams are open", n)
	}
	if code := s.get(below(s.page("1001"), "/poll")).StatusCode; code != http.StatusOK {
		t.Errorf("a page without a stream asks: %d", code)
	}
	s.live(s.page("1002")).until(checkout.Scan)
}

// Nobody makes the pages say something by an address: the shop's id is shown where the order is known.
func TestAnAddressPutsNoWordsOnAPage(t *testing.T) {
	t.Parallel()
	s := open(t)
	words := s.srv.URL + "/pay/Call%20this%20number/1"
	s.lacks(s.get(words+"/return"), "this number")
	s.lacks(s.get(words+"?key=x"), "this number")
	s.way.cut()
	a := s.get(words + "?key=x")
	s.has(a, `data-state="unreachable"`)
	s.lacks(a, "this number")
}
