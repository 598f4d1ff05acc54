package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// listener is a shop's notificationUrl.
func listener(t *testing.T) (address string, heard chan string) {
	heard = make(chan string, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard <- r.Method + " " + r.Header.Get("Content-Type") + " " + r.FormValue("invoiceReference")
		http.Error(w, "never mind", http.StatusTeapot) // not repeated, whatever the answer
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/notify?secret=1", heard
}

func (p *provider) notified(address string) string {
	p.t.Helper()
	return p.want(0, "sendInvoice", shop+strings.Replace(invoiceOf("5"), "</invoice>", "<notificationUrl>"+address+"</notificationUrl></invoice>", 1)).InvoiceReference
}

func TestNotification(t *testing.T) {
	address, heard := listener(t)
	p := serve(t, manual())
	canceled, declined, first, second := p.notified(address), p.notified(address), p.notified(address), p.notified(address)
	p.want(0, "cancelInvoice", shop+named(canceled))
	p.must(p.Decline(declined))
	p.must(p.Pay(first))
	want := "POST application/x-www-form-urlencoded "
	if got := <-heard; got != want+first {
		t.Errorf("heard %q", got)
	}
	p.status(shop, first)
	p.must(p.Pay(second))
	if got := <-heard; got != want+second { // and nothing in between
		t.Errorf("heard %q", got)
	}
	p.faults(map[string][]sandbox.Fault{"sendInvoice": one(sandbox.Fault{Kind: sandbox.FaultDuplicateNotification})})
	twice, once := p.notified(address), p.notified(address)
	p.must(p.Pay(twice))
	for range 2 {
		if got := <-heard; got != want+twice {
			t.Errorf("heard %q", got)
		}
	}
	p.must(p.Pay(once))
	if got := <-heard; got != want+once {
		t.Errorf("heard %q", got)
	}
	p.must(p.Close())
	if len(heard) != 0 {
		t.Errorf("also heard %q", <-heard)
	}
}

func TestNotificationThatFailsHarmsNothing(t *testing.T) {
	p := serve(t, manual())
	ref := p.notified("http://127.0.0.1:1/n")
	p.must(p.Pay(ref))
	if a := p.status(shop, ref); a.Status != "PAID" {
		t.Errorf("%+v", a)
	}
}
