package woocommerce_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
)

func TestClientKeepsCredentialsToSafeAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://shop.example": true, "https://shop.example/sub/": true, "http://127.0.0.1:8080": true, "http://localhost": true,
		"http://shop.example": false, "https://user:canary@shop.example": false, "ftp://shop.example": false, "": false,
	} {
		_, err := woocommerce.NewClient(address, "ck", "cs", http.DefaultClient)
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// sweep gives the ids of the orders, as they come.
func (s *shop) sweep(what woocommerce.Changed) (ids []string, err error) {
	for body, err := range s.out.Client.Orders(s.t.Context(), what) {
		if err != nil {
			return ids, err
		}
		var o struct{ ID json.Number }
		if err := json.Unmarshal(body, &o); err != nil {
			return ids, err
		}
		ids = append(ids, o.ID.String())
	}
	return ids, nil
}

func (s *shop) place(n int) {
	for range n {
		s.Place(shopsim.Cart{Items: []shopsim.Item{{Name: "Mug", Price: "100.00", TaxRate: "25"}}})
	}
}

func TestSweepReadsAllPages(t *testing.T) {
	for _, orders := range []int{0, 99, 100, 199, 250} { // and the one that is there
		s := openShop(t, shopsim.WooConfig{})
		s.place(orders)
		ids, err := s.sweep(woocommerce.Changed{Statuses: []string{"pending", "on-hold"}})
		if err != nil || len(ids) != orders+1 || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != orders+1 {
			t.Errorf("%d orders: got %d: %v", orders+1, len(ids), err)
		}
	}
}

// TestSweepMissesNoneThatMoved: an order that leaves the list while it is read moves the others to an earlier page.
func TestSweepMissesNoneThatMoved(t *testing.T) {
	s := openShop(t, shopsim.WooConfig{})
	s.place(250)
	all := map[string]bool{}
	n := 0
	for body, err := range s.out.Client.Orders(t.Context(), woocommerce.Changed{Statuses: []string{"pending"}}) {
		if err != nil {
			t.Fatal(err)
		}
		var o struct{ ID json.Number }
		if err := json.Unmarshal(body, &o); err != nil || all[o.ID.String()] {
			t.Fatalf("order %s twice, or %v", o.ID, err)
		}
		all[o.ID.String()] = true
		if n++; n == 50 {
			status("completed")(s)
		}
	}
	if len(all) != 251 {
		t.Errorf("got %d orders", len(all))
	}
}

func TestSweepIsByTheShopsClock(t *testing.T) {
	now := time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)
	s := openShop(t, shopsim.WooConfig{Now: func() time.Time { return now }})
	first := now
	now = now.Add(time.Minute)
	s.place(1)
	for after, want := range map[time.Time]int{first.Add(-time.Second): 2, first: 1, now: 0} {
		if ids, err := s.sweep(woocommerce.Changed{After: after}); err != nil || len(ids) != want {
			t.Errorf("after %s: %v %v", after, ids, err)
		}
	}
	for body := range s.out.Client.Orders(t.Context(), woocommerce.Changed{After: first}) {
		if got, ok := woocommerce.ModifiedAt(body); !ok || !got.Equal(now) {
			t.Errorf("modified at %s", got)
		}
	}
}

// TestSweepTranslates: what the stand-in makes of a cart, the translation takes, whatever the prices include.
func TestSweepTranslates(t *testing.T) {
	for _, inside := range []bool{true, false} {
		s := openShop(t, shopsim.WooConfig{PricesIncludeTax: inside})
		s.Place(shopsim.Cart{Discount: "10", Items: []shopsim.Item{{Name: "Coat", Price: "149.95", TaxRate: "25"}, {Name: "Tea", Price: "99.48", Quantity: "6", TaxRate: "12"}},
			Shipping: []shopsim.Charge{{Name: "Parcel", Amount: "3.13", TaxRate: "12"}}, Fees: []shopsim.Charge{{Name: "Fee", Amount: "-14.70", TaxRate: "25"}}})
		n := 0
		for body, err := range s.out.Client.Orders(t.Context(), woocommerce.Changed{}) {
			if err != nil {
				t.Fatal(err)
			}
			got, err := inbound().TranslateOrder("acme", body)
			if err != nil || len(got.Events) != 1 {
				t.Errorf("inside %t: %+v %v", inside, got, err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("%d orders", n)
		}
	}
}

// TestSweepEndsWhereEachPageIsTheSame: something before the shop ignores the number of the page.
func TestSweepEndsWhereEachPageIsTheSame(t *testing.T) {
	page := "[" + strings.TrimSuffix(strings.Repeat(`{"id":7},`, 99), ",") + `,{"id":8}]`
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = w.Write([]byte(page))
	}))
	defer server.Close()
	client, err := woocommerce.NewClient(server.URL, "ck", "cs", http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	for _, err := range client.Orders(t.Context(), woocommerce.Changed{}) {
		if given++; err != nil {
			t.Fatal(err)
		}
	}
	if given != 2 || asked > 6 {
		t.Errorf("%d orders given, after %d questions", given, asked)
	}
}

// A shop that is too slow for a page is asked for smaller ones from there on, whatever its failure looks like, and read through.
func TestSweepOfASlowShopGetsThroughInSmallerPages(t *testing.T) {
	for name, fail := range map[string]func(http.ResponseWriter, *http.Request){
		"no answer in time": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a proxy's 504":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGatewayTimeout) },
	} {
		for _, most := range []int{20, 5, 1} { // orders that it can give at once
			t.Run(fmt.Sprintf("%s, %d at once", name, most), func(t *testing.T) {
				t.Parallel()
				s := openShop(t, shopsim.WooConfig{})
				s.place(130)
				var mu sync.Mutex
				var sizes []int
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					size, err := strconv.Atoi(r.URL.Query().Get("per_page"))
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					sizes = append(sizes, size)
					mu.Unlock()
					if size > most && r.URL.Query().Get("page") != "1" { // the first is quick
						fail(w, r)
						return
					}
					s.ServeHTTP(w, r)
				}))
				defer server.Close()
				client, err := woocommerce.NewClient(server.URL, "ck_demo", "cs_demo", &http.Client{Timeout: 2 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				seen := map[string]bool{}
				for body, err := range client.Orders(t.Context(), woocommerce.Changed{}) {
					var o struct{ ID json.Number }
					if err != nil || json.Unmarshal(body, &o) != nil || seen[o.ID.String()] {
						t.Fatalf("%s twice, or %v", body, err)
					}
					seen[o.ID.String()] = true
				}
				mu.Lock()
				defer mu.Unlock()
				if len(seen) != 131 || sizes[len(sizes)-1] != most || !slices.IsSortedFunc(sizes, func(a, b int) int { return b - a }) {
					t.Errorf("%d orders, in pages of %v", len(seen), sizes)
				}
			})
		}
	}
}

func TestSweepEndsAtAnError(t *testing.T) {
	s := openShop(t, shopsim.WooConfig{})
	for name, f := range map[string]shopsim.Fault{"a page": {Code: 200, Body: "<html>"}, "no answer": {Drop: true}, "503": {Code: 503}} {
		f.On = shopsim.OpListOrders
		s.SetFaults(f)
		ids, err := s.sweep(woocommerce.Changed{})
		var failed *woocommerce.CallError
		if len(ids) != 0 || !errors.As(err, &failed) || failed.Status != commerce.Again {
			t.Errorf("%s: %v %v", name, ids, err)
		}
	}
}

func TestCheckAndWebhooks(t *testing.T) {
	now := time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)
	s := openShop(t, shopsim.WooConfig{Now: func() time.Time { return now }})
	if clock, err := s.out.Client.Check(t.Context()); err != nil || !clock.Equal(now) {
		t.Errorf("%s %v", clock, err)
	}
	var failed *woocommerce.CallError
	if _, err := s.client("ck_other", "cs_demo").Check(t.Context()); !errors.As(err, &failed) || failed.Code != 401 || failed.Status != commerce.Refused {
		t.Errorf("got %v", err)
	}
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(gone) }))
	t.Cleanup(server.Close)
	if _, err := s.AddWebhook("order.updated", server.URL, "secret"); err != nil {
		t.Fatal(err)
	}
	<-gone
	list, err := s.out.Client.Webhooks(t.Context())
	if err != nil || len(list) != 1 || !list[0].Active() || list[0].Topic != "order.updated" || list[0].DeliveryURL != server.URL {
		t.Errorf("%+v %v", list, err)
	}
}
