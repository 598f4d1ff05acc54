package sandbox_test

import (
	"strings"
	"testing"
)

// TestBackURLIsALinkToAnAppOrAPageOnly: an app's scheme works, what would run in the page does not.
func TestBackURLIsALinkToAnAppOrAPageOnly(t *testing.T) {
	p := serve(t, manual())
	for address, want := range map[string]string{
		"myapp://done":                       "myapp://done",
		"myapp:done":                         "myapp:done",
		"com.shop.app-2+x://a?b=1&amp;c=2":   "com.shop.app-2&#43;x://a?b=1&amp;c=2",
		"https://shop.example/back?a=1":      "https://shop.example/back?a=1",
		"HTTP://shop.example":                "HTTP://shop.example",
		"my&quot;app://x":                    "",
		"myapp://x&quot; onclick=&quot;a()":  "",
		"myapp://x&quot;onclick=&quot;a()":   "myapp://x%22onclick=%22a%28%29",
		"javascript:alert(1)":                "",
		"JavaScript:alert(1)":                "",
		" javascript:alert(1)":               "",
		"java&#9;script:alert(1)":            "",
		"java&#10;script:alert(1)":           "",
		"&#9;javascript:alert(1)":            "",
		"javascript&#9;:alert(1)":            "",
		"javascript&#58;alert(1)":            "",
		"&#xA0;javascript:alert(1)":          "",
		"myapp://x&#10;y":                    "",
		"data:text/html,&lt;script&gt;":      "",
		"DATA:text/html;base64,PHNjcmlwdD4=": "",
		"vbscript:msgbox(1)":                 "",
		"VbScript:msgbox(1)":                 "",
		"file:///etc/passwd":                 "",
		"view-source:javascript:1":           "",
		"/back":                              "",
		"shop.example/back":                  "",
		"//shop.example":                     "",
		":":                                  "",
	} {
		ref := p.want(0, "sendInvoice", shop+strings.Replace(invoiceOf("5"), "</invoice>", "<backURL>"+address+"</backURL></invoice>", 1)).InvoiceReference
		_, body := p.get("/R" + ref)
		got := ""
		if _, rest, found := strings.Cut(body, `<a class="button" href="`); found {
			got, _, _ = strings.Cut(rest, `"`)
		}
		if got != want {
			t.Errorf("%s: the link is %q, want %q", address, got, want)
		}
	}
}
