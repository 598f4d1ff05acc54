package checkout

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/checkout"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
)

// A browser without scripts goes through the whole: declines, tries again, pays, and is on its way back.
func TestWholeWayWithoutScripts(t *testing.T) {
	t.Parallel()
	s := open(t, invoicer.Name)
	page := s.page("1001")
	s.Place(order("1001"))
	a := s.get(page)
	s.has(a, `data-state="preparing"`, `<noscript><meta http-equiv="refresh" content="3;url=/pay/acme/1001?key=`, "Preparing your payment")
	s.invoices()
	inv := s.Wait("1001", events.EventIssued)
	a = s.shows(page, checkout.Scan)
	s.has(a, "<svg", `role="img"`)
	s.lacks(a, `id="wallet"`) // this checkout knows of no sandbox
	if err := s.Sandbox.Decline(inv.InvoiceReference); err != nil {
		t.Fatal(err)
	}
	a = s.shows(page, checkout.Canceled)
	s.has(a, "Payment canceled", "Nothing was paid", `name="after" value="1001"`, `id="back" href="https://shop.example/order-received/1001/?key=`)
	s.lacks(a, "<svg", "http-equiv", `id="app"`)
	if code := s.get(below(page, "/qr.svg")).StatusCode; code != http.StatusNotFound {
		t.Errorf("the code of a closed invoice: %d", code)
	}
	if b := s.post(below(page, "/again"), "after=1001"); b.StatusCode != http.StatusSeeOther || !strings.HasPrefix(b.Header.Get("Location"), "/pay/acme/1001?key=") {
		t.Errorf("%d to %q", b.StatusCode, b.Header.Get("Location"))
	}
	second := s.Wait("1001-2", events.EventIssued)
	if second.OrderID != "1001" || second.Total.Cmp(inv.Total) != 0 {
		t.Errorf("%+v", second)
	}
	a = s.shows(page, checkout.Scan)
	s.has(a, `name="invoice" value="1001-2"`)
	s.Pay(second.InvoiceReference)
	a = s.shows(page, checkout.Paid)
	s.has(a, "Thank you! You have paid SEK\u00a01,249.50 to Kaffebönan.", `id="back"`)
	s.lacks(a, "<svg", "http-equiv", `id="again"`)
	s.returnOf("1001-2", "r2", "49.50")
	s.Wait("1001-2", events.EventRefunded)
	s.has(s.get(page), `data-state="paid"`, "SEK\u00a049.50 has been paid back to you.")
	s.returnOf("1001-2", "r3", "")
	s.has(s.shows(page, checkout.Refunded), "SEK\u00a01,249.50 has been paid back to you.")
}

func (s *shop) returnOf(invoice, refund, amount string) {
	s.t.Helper()
	ret := events.Return{OrderID: "1001", InvoiceID: invoice, Shop: rig.Shop, RefundID: refund}
	if amount != "" {
		a := rig.Amount(amount)
		ret.Amount = &a
	}
	body, err := json.Marshal(ret)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Raw(events.OrderSubject(rig.Shop, "1001", events.Returned), body)
}

// However often and by how many windows it is asked for, there is one other try; a page that is shown again begins none.
func TestOneOtherTryHoweverOftenItIsAskedFor(t *testing.T) {
	t.Parallel()
	s := open(t)
	page := s.page("1001")
	inv := s.placed("1001")
	again := func() { s.post(below(page, "/again"), "after=1001") }
	again() // while the first can be paid
	if n := s.lastOrders(); n != 1 {
		t.Fatalf("%d events: another try began while the first was open", n)
	}
	if err := s.Sandbox.Decline(inv.InvoiceReference); err != nil {
		t.Fatal(err)
	}
	s.shows(page, checkout.Canceled)
	var all sync.WaitGroup
	for range 12 {
		all.Go(again)
	}
	all.Wait()
	second := s.Wait("1001-2", events.EventIssued)
	again()
	s.get(page)
	if n := s.lastOrders(); n != 2 {
		t.Errorf("%d events of the order, expected it and one other try", n)
	}
	if err := s.Sandbox.Decline(second.InvoiceReference); err != nil {
		t.Fatal(err)
	}
	s.has(s.shows(page, checkout.Canceled), `name="after" value="1001-2"`)
	again() // an old window still says 1001
	if n := s.lastOrders(); n != 2 {
		t.Errorf("%d events: a window that shows the first try began a third", n)
	}
	s.post(below(page, "/again"), "after=1001-2")
	s.Wait("1001-3", events.EventIssued)
}

func TestBuyerCancels(t *testing.T) {
	t.Parallel()
	s := open(t, canceler.Name)
	page := s.page("1001")
	s.placed("1001")
	s.has(s.get(below(page, "/cancel")), "Cancel this payment?", `method="post"`, `name="invoice" value="1001"`)
	if n := s.lastOrders(); n != 1 {
		t.Errorf("asking has canceled: %d events", n)
	}
	s.post(below(page, "/cancel"), "invoice=other")
	if n := s.lastOrders(); n != 1 {
		t.Errorf("a try that is none was canceled: %d events", n)
	}
	for range 3 {
		s.post(below(page, "/cancel"), "invoice=1001")
	}
	if n := s.lastOrders(); n != 2 {
		t.Errorf("%d events, expected the order and one cancellation", n)
	}
	a := s.shows(page, checkout.Canceling) // no worker has answered yet
	s.lacks(a, "<svg", "Payment canceled", `id="cancel"`)
	s.cancels()
	s.has(s.shows(page, checkout.Canceled), `id="again"`)
	s.has(s.get(below(page, "/cancel")), "See Other")
}

// Paid while the buyer cancels: the page says paid, then what becomes of the money, and never that it was canceled.
func TestPaidMeanwhileIsShownAsPaid(t *testing.T) {
	t.Parallel()
	s := open(t, poller.Name)
	page := s.page("1001")
	inv := s.placed("1001")
	s.Pay(inv.InvoiceReference)
	s.post(below(page, "/cancel"), "invoice=1001")
	s.shows(page, checkout.Canceling)
	seen := map[string]bool{}
	s.poll()
	for give := time.Now().Add(rig.Patience); !seen["refunded"] && time.Now().Before(give); {
		_, rest, _ := strings.Cut(s.get(page).text, `data-state="`)
		state, _, _ := strings.Cut(rest, `"`)
		seen[state] = true
	}
	if seen["canceled"] || !seen["refunded"] {
		t.Errorf("the page said %v; expected paid, perhaps, and then refunded", seen)
	}
}

// What another site's page posts changes nothing.
func TestOtherSitesCannotAct(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.placed("1001")
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://evil.example"}}, {"Sec-Fetch-Site": {"same-site"}}} {
		if a := s.do(client(), "POST", below(s.page("1001"), "/cancel"), "invoice=1001", header); a.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d", header, a.StatusCode)
		}
	}
	if n := s.lastOrders(); n != 1 {
		t.Errorf("%d events", n)
	}
}

// A form that is larger than any of the pages' does nothing: reading it would fill the memory and the disk.
func TestAFormThatIsTooLargeDoesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.placed("1001")
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "large")
	if err == nil {
		_, err = file.Write(make([]byte, 1<<20))
	}
	if err := errors.Join(err, form.WriteField("invoice", "1001"), form.Close()); err != nil {
		t.Fatal(err)
	}
	for kind, text := range map[string]string{
		form.FormDataContentType():          body.String(),
		"application/x-www-form-urlencoded": "pad=" + strings.Repeat("x", 1<<20) + "&invoice=1001",
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", below(s.page("1001"), "/cancel"), strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		if resp, err := client().Do(r); err == nil { // the server may close the connection before all is sent
			_ = resp.Body.Close()
		}
	}
	s.post(below(s.page("1001"), "/cancel"), "invoice=none") // ends after the others
	if n := s.lastOrders(); n != 1 {
		t.Errorf("%d events of the order", n)
	}
}

func TestShopCancelsTheOrder(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.placed("1001")
	live := s.live(s.page("1001"))
	live.until(checkout.Scan)
	s.Cancel("1001")
	if _, html := live.read(checkout.Canceled); strings.Contains(html, `id="again"`) || !strings.Contains(html, "The shop has canceled this order.") {
		t.Errorf("an open page is told %s", html)
	}
	a := s.shows(s.page("1001"), checkout.Canceled)
	s.has(a, "The shop has canceled this order.", `id="back"`)
	s.lacks(a, `id="again"`)
	s.post(below(s.page("1001"), "/again"), "after=1001")
	if n := s.lastOrders(); n != 2 {
		t.Errorf("%d events: another try of an order that the shop has canceled", n)
	}
}

func TestExpiredFailedAndRejected(t *testing.T) {
	t.Parallel()
	s := open(t)
	o := order("expires")
	o.ValidFor = events.Duration(time.Second)
	s.Place(o)
	s.has(s.shows(s.page("expires"), checkout.Expired), "The time to pay is over", `id="again"`, `id="back"`)
	inv := s.placed("fails")
	if err := s.Sandbox.Fail(inv.InvoiceReference); err != nil {
		t.Fatal(err)
	}
	s.has(s.shows(s.page("fails"), checkout.Failed), "The payment failed", `id="again"`)
	if err := s.Sandbox.SetFaults(map[string][]sandbox.Fault{"sendInvoice": {{Kind: sandbox.FaultResultCode, Code: 11}}}); err != nil {
		t.Fatal(err)
	}
	s.Place(order("refused"))
	s.has(s.shows(s.page("refused"), checkout.Rejected), "The payment could not be started", `id="again"`)
}

// The provider's plugin goes on as long as it reads ISSUED, wherever it runs, and stops at anything else.
func TestPluginsStatus(t *testing.T) {
	t.Parallel()
	s := open(t)
	status := func(id string) (int, string) {
		t.Helper()
		a := s.get(below(s.page(id), "/status"))
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("Access-Control-Allow-Origin %q", got)
		}
		var body struct{ Status string }
		if a.StatusCode == http.StatusOK {
			if err := json.Unmarshal([]byte(a.text), &body); err != nil {
				t.Errorf("%s: %v", a.text, err)
			}
		}
		return a.StatusCode, body.Status
	}
	if code, _ := status("nothing"); code != http.StatusNotFound {
		t.Errorf("unknown: %d", code)
	}
	inv := s.placed("1001")
	if a := s.get(below(s.page("1001"), "/status")); strings.TrimSpace(a.text) != `{"resultCode":0,"resultDescription":"SUCCESS","status":"ISSUED","version":0}` {
		t.Errorf("%s", a.text)
	}
	s.Pay(inv.InvoiceReference)
	s.Wait("1001", events.EventPaid)
	if code, got := status("1001"); code != http.StatusOK || got != "PAID" {
		t.Errorf("%d %q", code, got)
	}
	declined := s.placed("1002")
	if err := s.Sandbox.Decline(declined.InvoiceReference); err != nil {
		t.Fatal(err)
	}
	s.Wait("1002", events.EventCanceled)
	if _, got := status("1002"); got != "CANCELED" {
		t.Errorf("%q", got)
	}
	if a := s.do(client(), "OPTIONS", below(s.page("1001"), "/status"), "", nil); a.StatusCode != http.StatusNoContent || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS: %d %v", a.StatusCode, a.Header)
	}
	s.way.cut()
	if code, _ := status("1001"); code != http.StatusServiceUnavailable {
		t.Errorf("without a broker: %d", code)
	}
}

// The way back from the app has no key in its address: the browser that had the page finds it, any other is sent back.
func TestWayBackFromTheApp(t *testing.T) {
	t.Parallel()
	s := open(t, poller.Name)
	s.placed("1001")
	hints := make(chan string, 10)
	if err := s.Bus.Subscribe(t.Context(), bus.HintSubjects, func(subject string, _ []byte) { hints <- subject }); err != nil {
		t.Fatal(err)
	}
	if err := s.Bus.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	hinted := func() {
		t.Helper()
		select {
		case subject := <-hints:
			if subject != "hints.acme.1001" {
				t.Errorf("hint %s", subject)
			}
		case <-time.After(rig.Patience):
			t.Error("no hint")
		}
	}
	buyer, back := client(), s.links.Return(rig.Shop, "1001")
	if strings.Contains(back, "key") {
		t.Errorf("the address has a key: %s", back)
	}
	s.do(buyer, "GET", s.page("1001"), "", nil)
	a := s.do(buyer, "GET", back, "", nil)
	hinted()
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d\n%s", a.StatusCode, a.text)
	}
	at := s.srv.URL + a.Header.Get("Location")
	s.has(s.do(buyer, "GET", at, "", nil), `data-state="checking"`, "Checking your payment", "http-equiv")
	s.shows(at, checkout.Scan) // a buyer who has not paid can do so again, a moment later
	other := s.get(back)
	hinted()
	s.has(other, "Go back to the page where you began")
	if a := s.get(s.srv.URL + "/pay/acme/1001/return?lang=sv"); !strings.Contains(other.text, `href="/pay/acme/1001/return?lang=sv"`) || !strings.Contains(a.text, "Gå tillbaka till sidan") {
		t.Errorf("in another language: %s\n%s", other.text, a.text)
	}
	hinted()
	unknown := s.get(s.links.Return(rig.Shop, "nothing"))
	if other.StatusCode != http.StatusOK || unknown.StatusCode != other.StatusCode || strings.ReplaceAll(unknown.text, "nothing", "1001") != other.text {
		t.Errorf("it tells which orders there are: %d\n%s\n%s", unknown.StatusCode, unknown.text, other.text)
	}
}
