package orderapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/orderapi"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// The shop whose token is asked for is the shop that the operation works for.
func TestATokenOpensNoOtherShopHoweverThePathIsSpelt(t *testing.T) {
	f := start(t)
	for path, want := range map[string]int{
		"/v1/shops/acme%2Fbeta/orders":      http.StatusUnauthorized, // the shop named acme/beta
		"/v1/shops/beta%2F..%2Facme/orders": http.StatusUnauthorized,
		"/v1/shops%2Facme/orders":           http.StatusNotFound,
	} {
		if code, text := f.problem("POST", path, order("1", "10.00")); code != want {
			t.Errorf("%s: %d %s; want %d", path, code, text, want)
		}
	}
	resp, err := http.Post(f.URL+"/v1/shop%73/acme/orders", "application/json", strings.NewReader(order("1", "10.00"))) // without a token
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token, the path spelt otherwise: %d", resp.StatusCode)
	}
	if n := f.orders(); n > 0 {
		t.Errorf("%d events on ORDERS; want none", n)
	}
}

func TestTheLogSaysWhatBecameOfARequestAndNoSecret(t *testing.T) {
	var log syncBuffer
	r := rig.New(t, sandbox.Config{})
	f := serve(r, orderapi.Config{Bus: r.Bus, Log: zerolog.New(&log)})
	var s orderapi.OrderState
	f.call("POST", orders, strings.Replace(order("1001", "10.00"), "Tea", "canary-text", 1), &s)
	f.problem("POST", orders+"?wait=canary-query", order("1002", "10.00"))
	f.problem("GET", "/v1/shops/beta/orders/1001", "") // the token of another shop
	text := log.String()
	for _, want := range []string{
		`"operation":"placeOrder","path":"/v1/shops/acme/orders/1001","status":201`,
		`"operation":"placeOrder","path":"/v1/shops/acme/orders","status":422`,
		`"operation":"getOrder","path":"/v1/shops/beta/orders/1001","status":401`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(text, "canary") {
		t.Errorf("the log has what is nobody's business:\n%s", text)
	}
}

// syncBuffer is what several goroutines write.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// An order that was canceled may be placed again, by another invoiceId. Then it can be canceled again.
func TestACancellationCoversWhatWasPlacedBeforeIt(t *testing.T) {
	f := start(t)
	var s orderapi.OrderState
	again := strings.Replace(order("1001", "10.00"), "{", `{"invoiceId":"1001-2",`, 1)
	for i, step := range []struct {
		path, body string
		code       int
	}{
		{orders, order("1001", "10.00"), http.StatusCreated},
		{orders + "/1001/cancel", "", http.StatusAccepted},
		{orders + "/1001/cancel", "", http.StatusOK},
		{orders, again, http.StatusCreated},
		{orders + "/1001/cancel", "", http.StatusAccepted},
		{orders + "/1001/cancel", "", http.StatusOK},
	} {
		if code := f.call("POST", step.path, step.body, &s); code != step.code {
			t.Errorf("step %d: %d; want %d", i+1, code, step.code)
		}
	}
}

// Of returns at the same time with the same refundId, one is asked for; those that want something else are told.
func TestReturnsAtTheSameTimeAreOne(t *testing.T) {
	f := start(t)
	var s orderapi.OrderState
	f.call("POST", orders, order("1001", "10.00"), &s)
	var all sync.WaitGroup
	codes := make(chan int, 10)
	for i := range cap(codes) {
		all.Go(func() {
			var s any
			codes <- f.call("POST", orders+"/1001/returns", fmt.Sprintf(`{"refundId":"r1","amount":"%d.00"}`, 1+i), &s)
		})
	}
	all.Wait()
	close(codes)
	count := map[int]int{}
	for code := range codes {
		count[code]++
	}
	if n := f.orders(); n != 2 || count[http.StatusAccepted] != 1 || count[http.StatusConflict] != 9 {
		t.Errorf("%d events on ORDERS, answers %v; want placed and returned, one 202 and nine 409", n, count)
	}
}

// A client repeats a return whose answer was lost. Meanwhile the order is to be paid once more: that payment is not paid back.
func TestARepeatedReturnDoesNotPayBackAnotherPayment(t *testing.T) {
	f := start(t)
	var s orderapi.OrderState
	const back = `{"refundId":"r1","amount":"4.00"}`
	for i, step := range []struct {
		path, body string
		code       int
	}{
		{orders, order("1001", "10.00"), http.StatusCreated},
		{orders + "/1001/returns", back, http.StatusAccepted},
		{orders, strings.Replace(order("1001", "10.00"), "{", `{"invoiceId":"1001-b",`, 1), http.StatusCreated},
		{orders + "/1001/returns", back, http.StatusOK},
	} {
		if code := f.call("POST", step.path, step.body, &s); code != step.code {
			t.Errorf("step %d: %d; want %d", i+1, code, step.code)
		}
	}
	if n := f.orders(); n != 3 {
		t.Errorf("%d events on ORDERS; want two placed and one returned", n)
	}
}

func TestAReturnMayNameTheCurrencyOrNot(t *testing.T) {
	f := start(t)
	var s orderapi.OrderState
	f.call("POST", orders, order("1001", "10.00"), &s)
	f.call("POST", orders+"/1001/returns", `{"refundId":"r1","amount":"4.00"}`, &s)
	if code := f.call("POST", orders+"/1001/returns", `{"refundId":"r1","amount":"4.0","currency":"SEK"}`, &s); code != http.StatusOK {
		t.Errorf("the same with its currency: %d", code)
	}
	if code, text := f.problem("POST", orders+"/1001/returns", `{"refundId":"r2","amount":"4.00","currency":"EUR"}`); code != 422 || !strings.Contains(text, "body.currency: expected the invoice's SEK") {
		t.Errorf("another currency: %d %s", code, text)
	}
}

// The currency of a return is that of the try that it names, and not that of the try that counts.
func TestAReturnIsInTheCurrencyOfItsTry(t *testing.T) {
	f := start(t)
	var s orderapi.OrderState
	f.call("POST", orders, order("1001", "10.00"), &s)
	f.call("POST", orders, strings.Replace(order("1001", "10.00"), `{"orderId":"1001","currency":"SEK"`, `{"orderId":"1001","invoiceId":"1001-b","currency":"EUR"`, 1), &s)
	if code := f.call("POST", orders+"/1001/returns", `{"refundId":"r1","invoiceId":"1001","amount":"4.00","currency":"SEK"}`, &s); code != http.StatusAccepted {
		t.Errorf("of the first try, in its currency: %d", code)
	}
	if code, text := f.problem("POST", orders+"/1001/returns", `{"refundId":"r2","invoiceId":"1001","amount":"4.00","currency":"EUR"}`); code != 422 || !strings.Contains(text, "expected the invoice's SEK") {
		t.Errorf("of the first try, in another: %d %s", code, text)
	}
}

func TestAnInvoiceOfAnotherOrderIsAConflict(t *testing.T) {
	f := start(t)
	f.Record(rig.Recorded{ID: "1001", Reference: "r1"})
	if code, text := f.problem("POST", orders, strings.Replace(order("1002", "10.00"), "{", `{"invoiceId":"1001",`, 1)); code != http.StatusConflict || !strings.Contains(text, "another order's") {
		t.Errorf("%d %s", code, text)
	}
	if n := f.orders(); n > 0 {
		t.Errorf("%d events on ORDERS; want none", n)
	}
}

// Without a state to compare with, a wait is for the end of paying.
func TestAWaitWithoutAStateIsUntilTheBuyerCanPayNoLonger(t *testing.T) {
	f := start(t)
	var s orderapi.OrderState
	f.call("POST", orders, order("1001", "10.00"), &s)
	got := make(chan orderapi.OrderState)
	go func() {
		var s orderapi.OrderState
		f.call("GET", orders+"/1001?wait=25s", "", &s)
		got <- s
	}()
	f.Record(rig.Recorded{ID: "1001", Reference: "r1"})
	rig.AppendEvents(t, f.Bus, events.KeyOf("acme", "1001"), paidWith("2026"))
	if s := <-got; !s.Paid {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsNoOperationIsAProblem(t *testing.T) {
	f := start(t)
	for _, c := range [][2]string{{"GET", "/v1/"}, {"GET", orders + "/1001/refunds"}, {"DELETE", "/v1/shops"}} {
		if code, text := f.problem(c[0], c[1], ""); code != http.StatusNotFound || !strings.Contains(text, "/v1/openapi.json") {
			t.Errorf("%s %s: %d %s", c[0], c[1], code, text)
		}
	}
}

func TestACloudEventIsSentElsewhere(t *testing.T) {
	f := start(t)
	body := `{"specversion":"1.0","type":"seqrflow.order.placed.v1","data":` + order("1", "10.00") + `}`
	if code, text := f.problem("POST", orders, body); code != 422 || !strings.Contains(text, "body.specversion: expected the bare data") {
		t.Errorf("%d %s", code, text)
	}
}
