package orderapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/orderapi"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/invoicer"
)

const token = "canary-token-of-the-shop"

type fixture struct {
	*rig.Rig
	*httptest.Server
}

func start(t *testing.T) fixture { return startWith(t, orderapi.Config{}) }

// startWith starts an API with a broker of its own, unless the configuration has a connection.
func startWith(t *testing.T, c orderapi.Config) fixture {
	t.Helper()
	return serve(rig.New(t, sandbox.Config{}), c)
}

func serve(r *rig.Rig, c orderapi.Config) fixture {
	t := r.T
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Bus == nil {
		c.Bus, c.Log = r.Bus, r.Log
	}
	c.Hub = orderview.NewHub(r.Connect(), r.Log)
	r.Run(c.Hub)
	page := func(shop, order string) string { return "https://pay.example/pay/" + shop + "/" + order }
	c.CheckoutURL, c.ReturnURL = page, func(shop, order string) string { return page(shop, order) + "/return" }
	c.Connections = connections.File{Connections: map[string]connections.Connection{rig.Shop: {APIToken: []string{file}}, "beta": {}}}
	api, err := orderapi.New(c)
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{r, httptest.NewServer(api)}
	t.Cleanup(f.Server.Close)
	return f
}

// call makes a request with the shop's token and reads the answer into out.
func (f fixture) call(method, path, body string, out any) (status int) {
	f.T.Helper()
	req, err := http.NewRequestWithContext(f.T.Context(), method, f.URL+path, strings.NewReader(body))
	if err != nil {
		f.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.T.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.T.Fatal(err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		f.T.Fatalf("%s %s: %d %s: %v", method, path, resp.StatusCode, text, err)
	}
	return resp.StatusCode
}

// problem makes a request that is not carried out, and gives what the answer says is wrong.
func (f fixture) problem(method, path, body string) (status int, text string) {
	f.T.Helper()
	var p huma.ErrorModel
	status = f.call(method, path, body, &p)
	if p.Status != status {
		f.T.Errorf("%s %s: the problem says %d, the answer is %d", method, path, p.Status, status)
	}
	text = p.Detail
	for _, e := range p.Errors {
		text += "; " + e.Location + ": " + e.Message
	}
	return status, text
}

func (f fixture) orders() (n int) {
	f.T.Helper()
	if _, err := f.Bus.Scan(f.T.Context(), bus.Scan{Stream: events.OrdersStream}, func(bus.Entry) error { n++; return nil }); err != nil {
		f.T.Fatal(err)
	}
	return n
}

const orders = "/v1/shops/acme/orders"

func order(id, total string) string {
	return fmt.Sprintf(`{"orderId":%q,"currency":"SEK","total":%q,"rows":[{"description":"Tea","quantity":1,"total":%[2]q}]}`, id, total)
}

// paidWith decides that the poller has seen the payment.
func paidWith(reference string) bus.Decide {
	return func(i events.Invoice) (events.Invoice, error) {
		return i.PaidWith(reference, events.ActorPoller, events.Fact{At: time.Now(), Why: "paid"})
	}
}

func TestTheLifeOfAnOrder(t *testing.T) {
	f := start(t)
	var s orderapi.OrderState
	if code := f.call("POST", orders, order("1001", "10.00"), &s); code != http.StatusCreated || s.State != "PREPARING" || !s.Open || s.CheckoutURL != "https://pay.example/pay/acme/1001" {
		t.Errorf("placed: %d %+v", code, s)
	}
	if code := f.call("POST", orders, order("1001", "10.0"), &s); code != http.StatusOK {
		t.Errorf("placed again: %d %+v", code, s)
	}
	if n := f.orders(); n != 1 {
		t.Errorf("%d events on ORDERS; want 1", n)
	}
	waited := make(chan orderapi.OrderState)
	go func() {
		var s orderapi.OrderState
		f.call("POST", orders+"?wait=25s", order("1001", "10.00"), &s)
		waited <- s
	}()
	f.Run(invoicer.New(invoicer.Config{Bus: f.Bus, Provider: f.Rig.Client, Shops: rig.Shops{}, ValidFor: time.Hour}))
	if s := <-waited; s.State != "ISSUED" || s.InvoiceReference == "" || s.QRCode == "" || s.Link == "" {
		t.Errorf("after a wait for it to be issued: %+v", s)
	}

	paid := make(chan orderapi.OrderState)
	go func() {
		var s orderapi.OrderState
		f.call("GET", orders+"/1001?wait=25s&state=ISSUED", "", &s)
		paid <- s
	}()
	rig.AppendEvents(t, f.Bus, events.KeyOf("acme", "1001"), paidWith("2026"))
	if s := <-paid; s.State != "PAID" || !s.Paid || s.Open || s.ErsReference != "2026" || s.QRCode != "" {
		t.Errorf("after a wait for the payment: %+v", s)
	}

	refund := `{"refundId":"r1","amount":"4.00","reason":"broken"}`
	for i, want := range []int{http.StatusAccepted, http.StatusOK} {
		if code := f.call("POST", orders+"/1001/returns", refund, &s); code != want {
			t.Errorf("return, time %d: %d; want %d", i+1, code, want)
		}
	}
	if code, text := f.problem("POST", orders+"/1001/returns", `{"refundId":"r1","amount":"5.00"}`); code != http.StatusConflict || !strings.Contains(text, `refundId "r1"`) {
		t.Errorf("the same refundId with another amount: %d %s", code, text)
	}
	if code := f.call("POST", orders+"/1001/cancel", "", &s); code != http.StatusAccepted {
		t.Errorf("cancel without a body: %d", code)
	}
	if code := f.call("POST", orders+"/1001/cancel", "{}", &s); code != http.StatusOK {
		t.Errorf("cancel again: %d", code)
	}
	if n := f.orders(); n != 3 {
		t.Errorf("%d events on ORDERS; want placed, returned, canceled", n)
	}
}

func TestEachMistakeIsAProblemThatNamesTheField(t *testing.T) {
	f := start(t)
	var s orderapi.OrderState
	f.call("POST", orders, order("1001", "10.00"), &s)
	for _, c := range []struct {
		method, path, body string
		code               int
		text               string
	}{
		{"POST", orders, `{"orderId":"1","currency":"SEK","total":"11.00","rows":[{"description":"Tea","quantity":1,"total":"10.00"}]}`, 422, "body.total: the rows sum to 10.00, not to 11.00"},
		{"POST", orders, `{"orderId":"1","currency":"SEK","total":10,"rows":[{"quantity":"0"}]}`, 422, "body.rows[0].description: missing"},
		{"POST", orders, `{"currency":"SEK","total":"10.00","rows":[{"description":"Tea","quantity":1,"total":"10.00"}]}`, 422, "body.orderId: missing"},
		{"POST", orders, strings.Replace(order("1", "10.00"), `{`, `{"shop":"beta",`, 1), 422, "body.shop: "},
		{"POST", orders, strings.Replace(order("1", "10.00"), `{`, `{"total":"1.00",`, 1), 422, "body.total: expected once, got 2 times"},
		{"POST", orders, `[]`, 400, "expected a JSON object"},
		{"POST", orders, `{`, 400, "expected a JSON object: unexpected end of JSON input"},
		{"POST", orders, `{"orderId":1,}`, 400, "expected a JSON object: invalid character '}'"},
		{"PUT", orders + "/1001", order("1001", "12.00"), 405, "expected GET or HEAD"},
		{"DELETE", orders + "/1001/cancel", "", 405, "expected POST"},
		{"OPTIONS", orders, "", 405, "expected POST"},
		{"POST", orders, ``, 400, ""},
		{"POST", orders, order("1001", "12.00"), 409, "name another invoiceId"},
		{"POST", orders, order("1001", "10.00") + strings.Repeat(" ", 300<<10), 413, ""},
		{"POST", orders + "?wait=1h", order("2", "10.00"), 422, "query.wait: expected a duration of 0s to 25s"},
		{"POST", orders + "?wiat=1s", order("2", "10.00"), 422, "wiat"},
		{"GET", orders + "/1002", "", 404, `no order "1002"`},
		{"POST", orders + "/1002/cancel", "", 404, `no order "1002"`},
		{"POST", orders + "/1001/cancel", `{"orderId":"7"}`, 422, "body.orderId: "},
		{"POST", orders + "/1001/cancel", `{"invoiceId":"1001-2"}`, 422, `body.invoiceId: expected that of an invoice of this order, got "1001-2"`},
		{"POST", orders + "/1001/returns", `{"refundId":"r1","invoiceId":"1001-2"}`, 422, `body.invoiceId: expected that of an invoice of this order, got "1001-2"`},
		{"POST", orders, strings.Replace(order("3", "10.00"), "3", "K\xf6p", 1), 422, "body.orderId: expected UTF-8"},
		{"POST", orders + "/1001/returns", `{"amount":"1.00"}`, 422, "body.refundId: missing"},
		{"POST", orders + "/1001/returns", `{"refundId":"late","amount":"1.00"}`, 422, "body.refundId: "},
		{"POST", orders + "/1001/returns", `{"refundId":"r1","amount":"-1.00"}`, 422, "body.amount: "},
		{"GET", "/v1/shops/beta/orders/1001", "", 401, "token of this shop"},
		{"GET", "/v1/shops/nobody/orders/1001", "", 401, "token of this shop"},
	} {
		code, text := f.problem(c.method, c.path, c.body)
		if code != c.code || !strings.Contains(text, c.text) {
			t.Errorf("%s %s %.80s: %d %q; want %d %q", c.method, c.path, c.body, code, text, c.code, c.text)
		}
	}
	if n := f.orders(); n != 1 {
		t.Errorf("%d events on ORDERS; want 1", n)
	}
}

func TestOnlyTheShopsTokenOpens(t *testing.T) {
	f := start(t)
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + token, token, "Bearer " + token + "x"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+orders+"/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", header)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: %d", header, resp.StatusCode)
		}
	}
}

// Two requests at once place an order once.
func TestAnOrderThatIsPlacedAtTheSameTimeIsOne(t *testing.T) {
	f := start(t)
	var all sync.WaitGroup
	codes := make(chan int, 10)
	for range cap(codes) {
		all.Go(func() {
			var s orderapi.OrderState
			codes <- f.call("POST", orders, order("1001", "10.00"), &s)
		})
	}
	all.Wait()
	close(codes)
	created := 0
	for code := range codes {
		if code == http.StatusCreated {
			created++
		} else if code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
	}
	if n := f.orders(); created != 1 || n != 1 {
		t.Errorf("%d times created, %d events on ORDERS; want 1 and 1", created, n)
	}
}

func TestTheDocumentIsServedAndNamesEveryOperation(t *testing.T) {
	f := start(t)
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
	}
	if code := f.call("GET", "/v1/openapi.json", "", &doc); code != http.StatusOK || doc.OpenAPI != "3.1.0" || len(doc.Paths) != 5 {
		t.Errorf("%d %+v", code, doc)
	}
}

// A request that waits, and a stream, last longer than a body may take.
func TestWaitingIsNotCutOffWithTheTimeOfTheBody(t *testing.T) {
	f := start(t)
	var s orderapi.OrderState
	begun := time.Now()
	if code := f.call("POST", orders+"?wait=6s", order("1001", "10.00"), &s); code != http.StatusCreated || time.Since(begun) < 6*time.Second {
		t.Errorf("after %s: %d %+v", time.Since(begun), code, s)
	}
}
