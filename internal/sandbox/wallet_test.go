package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

func (p *provider) do(method, path, contentType, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestTheBuyerActsOverHTTP(t *testing.T) {
	p := serve(t, manual())
	const form = "application/x-www-form-urlencoded"
	ref := p.issue(shop, "5")
	for _, c := range []struct {
		method, path, contentType, body string
		status                          int
		part                            string
	}{
		{"GET", "/wallet/" + ref, "", "", 200, `"status":"ISSUED"`},
		{"GET", "/wallet/1", "", "", 404, "no invoice 1"},
		{"POST", "/wallet/1/pay", "", "", 404, "no invoice 1"},
		{"POST", "/wallet/" + ref + "/dance", "", "", 404, "pay and decline"},
		{"GET", "/wallet/" + ref + "/pay", "", "", 405, "POST"},
		{"POST", "/wallet/" + ref + "/scan", "", "", 200, `"scanned":true`},
		{"POST", "/wallet/" + ref + "/confirm", "", "", 200, `"confirming":true`},
		{"POST", "/wallet/" + ref + "/pay", form, "pin=123", 400, "four digits"},
		{"POST", "/wallet/" + ref + "/pay", form, "pin=12a4", 400, "four digits"},
		{"POST", "/wallet/" + ref + "/pay", form, "pin=0000", 200, `"status":"PAID"`},
		{"POST", "/wallet/" + ref + "/pay", form, "pin=1234", 409, "the invoice is PAID"},
		{"POST", "/wallet/" + ref + "/decline", "", "", 409, "the invoice is PAID"},
		{"POST", "/wallet/" + ref + "/scan", "", "", 409, "the invoice is PAID"},
	} {
		status, body := p.do(c.method, c.path, c.contentType, c.body)
		if status != c.status || !strings.Contains(body, c.part) || !json.Valid([]byte(body)) {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, status, body, c.status, c.part)
		}
	}
	p.Advance(20 * time.Second)
	if _, body := p.get("/wallet/" + ref); !strings.Contains(body, `"reversed":true`) || !strings.Contains(body, "did not fetch PAID") {
		t.Errorf("after the reversal: %s", body)
	}
	no := p.issue(shop, "5")
	if _, body := p.do("POST", "/wallet/"+no+"/decline", "", ""); !strings.Contains(body, `"status":"CANCELED"`) {
		t.Errorf("declined: %s", body)
	}
	broken := p.issue(shop, "5")
	if _, body := p.do("POST", "/wallet/"+broken+"/fail", "", ""); !strings.Contains(body, `"status":"FAILED"`) {
		t.Errorf("failed: %s", body)
	}
}

func TestWalletPage(t *testing.T) {
	cfg := manual()
	cfg.Terminals[0].Name = `<script>shop()</script>`
	p := serve(t, cfg)
	nasty := strings.NewReplacer("Thing", "&lt;img src=x onerror=row()&gt;", "<title>Order", "<title>&lt;/title&gt;&lt;script&gt;title()&lt;/script&gt;").
		Replace(invoiceOf("149.50"))
	nasty = strings.Replace(nasty, "</invoice>", "<backURL>javascript:back()</backURL></invoice>", 1)
	ref := p.want(0, "sendInvoice", shop+nasty).InvoiceReference
	resp, err := http.Get(p.url + "/R" + ref)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	body := string(text)
	for _, part := range []string{"149.50 SEK", "&lt;script&gt;shop()", "&lt;img src=x", `id="scan"`, `id="pay"`, `id="decline"`, `id="pin"`, "ISSUED"} {
		if !strings.Contains(body, part) {
			t.Errorf("the page has no %q", part)
		}
	}
	for _, part := range []string{"<script>shop", "<img src=x", "<script>title", "javascript:back", "http://", "https://"} {
		if strings.Contains(body, part) {
			t.Errorf("the page has %q", part)
		}
	}
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
	if status, _ := p.get("/R1"); status != 404 {
		t.Errorf("an unknown invoice: %d", status)
	}
}

func TestOtherAddresses(t *testing.T) {
	p := serve(t, manual())
	mine, theirs := p.issue(shop, "5"), p.issue(other, "6")
	for _, c := range []struct {
		method, path string
		status       int
		part         string
	}{
		{"GET", "/", 200, mine},
		{"GET", "/", 200, "demo-secret"},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/ledger", 200, theirs},
		{"GET", "/clock", 200, `"manual"`},
		{"GET", "/nothing", 404, "nothing here"},
		{"GET", "/Qnothing", 404, "No such terminal"},
		{"DELETE", "/ledger", 405, "GET"},
		{"GET", "/clock/advance?d=5s", 405, "POST"},
		{"POST", "/clock/advance?d=5s", 200, "12:00:05"},
		{"POST", "/clock/advance?d=-5s", 400, "d:"},
		{"POST", "/clock/advance?d=soon", 400, "d:"},
		{"POST", "/clock/advance", 400, "d:"},
	} {
		if status, body := p.do(c.method, c.path, "", ""); status != c.status || !strings.Contains(body, c.part) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, body, c.status, c.part)
		}
	}
	_, body := p.get("/")
	for _, secret := range []string{"other-secret", "till-secret", "another-secret"} {
		if strings.Contains(body, secret) {
			t.Errorf("the index shows %s", secret)
		}
	}
	_, body = p.get("/ledger?terminal=other-terminal")
	var l sandbox.Ledger
	if err := json.Unmarshal([]byte(body), &l); err != nil {
		t.Fatal(err)
	}
	if len(l.Invoices) != 1 || l.Invoices[0].InvoiceReference != theirs {
		t.Errorf("the other terminal's ledger: %s", body)
	}
	if !strings.Contains(body, `"total":"6.00"`) || !strings.Contains(body, `"payments":[]`) {
		t.Errorf("JSON %s", body)
	}
}

func TestRealClockIsNotAdvanced(t *testing.T) {
	p := serve(t, sandbox.Config{})
	if status, body := p.do("POST", "/clock/advance?d=5s", "", ""); status != 409 || !strings.Contains(body, "manual clock") {
		t.Errorf("%d %s", status, body)
	}
}

func TestOnInvoiceLetsBuyersActAtOnce(t *testing.T) {
	cfg := manual()
	var p *provider
	told := ""
	cfg.OnInvoice = func(ref, id, terminal string) {
		told = id + " at " + terminal
		p.must(p.Pay(ref))
	}
	p = serve(t, cfg)
	ref := p.issue(shop, "5")
	if a := p.status(shop, ref); a.Status != "PAID" || told != "A-1 at demo-terminal" {
		t.Errorf("%+v, told %q", a, told)
	}
}
