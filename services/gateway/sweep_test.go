package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/gateway"
)

// lossy is a shop all of whose webhooks are lost, and a gateway that sweeps it.
func lossy(t *testing.T) (*door, *shopsim.Woo) {
	t.Helper()
	shop := shopsim.NewWoo(shopsim.WooConfig{})
	t.Cleanup(shop.Close)
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	return open(t, sweeping(t, server.URL)), shop
}

// sweeping has a gateway sweep a shop.
func sweeping(t *testing.T, url string) func(*gateway.Config) {
	return func(c *gateway.Config) {
		c.SweepEvery = 20 * time.Millisecond
		con := c.Connections.Connections[rig.Shop]
		con.WooCommerce = &connections.WooCommerce{URL: url, PaymentMethods: []string{"seqr"}, WebhookSecret: []string{secretFile(t, wooSecret)},
			ConsumerKey: []string{secretFile(t, "ck_demo")}, ConsumerSecret: []string{secretFile(t, "cs_demo")}}
		c.Connections.Connections[rig.Shop] = con
	}
}

func cart(price string) shopsim.Cart {
	return shopsim.Cart{Items: []shopsim.Item{{Name: "Tea", Quantity: "1", Price: price, TaxRate: "25"}}}
}

// What a lost delivery would have brought comes with a sweep: the order, its cancellation, its refund; each once.
func TestASweepBringsWhatADeliveryDidNot(t *testing.T) {
	d, shop := lossy(t)
	o := shop.Place(cart("80"))
	subject := func(e events.OrderName) string { return events.OrderSubject(rig.Shop, strconv.FormatInt(o.ID, 10), e) }
	d.First(subject(events.Placed))
	if err := shop.SetStatus(o.ID, "cancelled"); err != nil {
		t.Fatal(err)
	}
	d.First(subject(events.OrderCanceled))

	other := shop.Place(cart("40"))
	if err := shop.SetStatus(other.ID, "processing"); err != nil {
		t.Fatal(err)
	}
	refund, err := shop.Refund(other.ID, "10.00", "broken")
	if err != nil {
		t.Fatal(err)
	}
	body := d.First(events.OrderSubject(rig.Shop, strconv.FormatInt(other.ID, 10), events.Returned))
	if !strings.Contains(string(body), fmt.Sprintf(`"refundId":"%d"`, refund)) {
		t.Errorf("returned: %s; want the refund %d", body, refund)
	}

	last := shop.Place(cart("20")) // when it is there a sweep has read all that was before
	d.First(events.OrderSubject(rig.Shop, strconv.FormatInt(last.ID, 10), events.Placed))
	seen := map[string]int{}
	d.scan(events.OrdersStream, func(e bus.Entry) { seen[e.Subject]++ })
	for subject, n := range seen {
		if n != 1 {
			t.Errorf("%s was published %d times", subject, n)
		}
	}
}

// What a webhook has brought and was parked is not parked again by the sweeps that read the same order, also not once an operator has
// dismissed it.
func TestSweepsParkAnOrderOnce(t *testing.T) {
	shop := shopsim.NewWoo(shopsim.WooConfig{})
	t.Cleanup(shop.Close)
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	d := open(t, sweeping(t, server.URL), func(c *gateway.Config) { c.SweepEvery = 500 * time.Millisecond })
	swept := func() {
		last := shop.Place(cart("20")) // when it is there a sweep has read all that was before, and the next one is not near
		d.First(events.OrderSubject(rig.Shop, strconv.FormatInt(last.ID, 10), events.Placed))
		d.Idle()
	}
	swept()
	wrong := cart("80")
	wrong.Draft = true
	o := shop.Place(wrong)
	if err := shop.Edit(o.ID, func(o *shopsim.WooOrder) { o.Status, o.Total = "pending", "999.00" }); err != nil {
		t.Fatal(err)
	}
	id := strconv.FormatInt(o.ID, 10)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/wp-json/wc/v3/orders/"+id, http.NoBody)
	request.SetBasicAuth("ck_demo", "cs_demo")
	read := httptest.NewRecorder()
	shop.ServeHTTP(read, request)
	whole := strings.Replace(read.Body.String(), "{", `{"parent_id":0,`, 1) // a sweep asks for less
	code, text := d.woo("order.updated", whole)
	expect(t, "rows that do not sum to the total", code, text, http.StatusOK, "kept for a person")
	d.First("parked.gateway.acme." + id)
	swept()
	if n := d.Parked(); n != 1 {
		t.Errorf("PARKED has %d messages after a sweep; want 1", n)
	}
	all, err := d.Bus.OpenParked(t.Context())
	if err != nil || len(all) == 0 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, p := range all {
		if err := d.Bus.Dismiss(t.Context(), p, "operator", "dealt with by hand"); err != nil {
			t.Fatal(err)
		}
	}
	dismissed := d.Parked()
	swept()
	if n := d.Parked() - dismissed; n != 0 {
		t.Errorf("PARKED has %d messages more after another sweep", n)
	}
}

// A gateway that starts later goes on where the last sweep ended, and two copies do not sweep the same.
func TestSweepsGoOnWhereTheLastOneEnded(t *testing.T) {
	d, shop := lossy(t)
	o := shop.Place(cart("80"))
	d.First(events.OrderSubject(rig.Shop, strconv.FormatInt(o.ID, 10), events.Placed))
	var p struct{ Modified, Begun time.Time }
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	missing := rig.Until(ctx, func(ctx context.Context) string {
		at, err := d.Bus.LoadCursor(ctx, rig.Shop, "woocommerce")
		if err == nil {
			err = at.Decode(&p)
		}
		if changed, _ := shop.Order(o.ID); err != nil || p.Modified.Format("2006-01-02T15:04:05") != changed.DateModifiedGMT {
			return fmt.Sprintf("the cursor has %+v, %v; want %v", p, err, changed.DateModifiedGMT)
		}
		return ""
	})
	if missing != "" {
		t.Error(missing)
	}
	if _, err := d.Bus.StoreCursor(t.Context(), rig.Shop, "woocommerce", bus.Cursor{}, p); !errors.Is(err, bus.ErrCursorMoved) {
		t.Errorf("a cursor that was loaded before another copy's: %v", err)
	}
}

// A shop whose clock was a day ahead for a while is swept as before once the clock is right.
func TestSweepsGoOnAfterTheShopsClockWasAhead(t *testing.T) {
	var ahead atomic.Bool
	ahead.Store(true)
	shop := shopsim.NewWoo(shopsim.WooConfig{Now: func() time.Time {
		if ahead.Load() {
			return time.Now().Add(24 * time.Hour)
		}
		return time.Now()
	}})
	t.Cleanup(shop.Close)
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	d := open(t, sweeping(t, server.URL))
	placed := func(o shopsim.WooOrder) string {
		return events.OrderSubject(rig.Shop, strconv.FormatInt(o.ID, 10), events.Placed)
	}
	d.First(placed(shop.Place(cart("80"))))
	d.First(placed(shop.Place(cart("40")))) // the sweep that has read the first has ended
	ahead.Store(false)
	d.First(placed(shop.Place(cart("20"))))
}

// A sweep of many orders may take longer than the time between two: no other copy begins one meanwhile, and what it has read counts.
func TestALongSweepIsLeftToItsCopy(t *testing.T) {
	shop := shopsim.NewWoo(shopsim.WooConfig{})
	t.Cleanup(shop.Close)
	var lists atomic.Int64
	slow := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lists.Add(1) == 1 {
			<-slow
		}
		shop.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	often := func(c *gateway.Config) { sweeping(t, server.URL)(c); c.SweepEvery = 2 * time.Second }
	d := open(t, often)
	d.start(often) // another copy
	o := shop.Place(cart("80"))
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	if missing := rig.Until(ctx, func(ctx context.Context) string {
		if at, err := d.Bus.LoadCursor(ctx, rig.Shop, "woocommerce"); err != nil || at.Seq < 7 {
			return fmt.Sprintf("the cursor was stored %d times, %v", at.Seq, err)
		}
		return ""
	}); missing != "" {
		t.Error(missing)
	}
	if n := lists.Load(); n != 1 {
		t.Errorf("the orders were read %d times at once", n)
	}
	close(slow)
	d.First(events.OrderSubject(rig.Shop, strconv.FormatInt(o.ID, 10), events.Placed))
}
