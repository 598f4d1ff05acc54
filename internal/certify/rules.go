package certify

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// verdict says whether a rule was kept.
type verdict struct {
	name   string
	ok     bool
	detail string
}

// contextRules check what the context of every call has to have.
func contextRules(calls []*recorded) []verdict {
	element := func(name string, ok func(string) bool) func(*node) (bool, string) {
		return func(c *node) (bool, string) { return ok(c.word(name)), quoted(c.word(name)) }
	}
	rules := []struct {
		name string
		hold func(context *node) (bool, string)
	}{
		{"clientId names the integrator", element("clientId", func(id string) bool { return id != "" })},
		{"clientReference is there, at most 32 characters", element("clientReference", func(ref string) bool { return ref != "" && utf8.RuneCountInString(ref) <= 32 })},
		{"clientRequestTimeout is 0", element("clientRequestTimeout", func(t string) bool { return t == "0" })},
		{"channel is WS or ClientWS", element("channel", func(name string) bool { return name == "WS" || name == "ClientWS" })},
		{"initiatorPrincipalId says who calls", func(c *node) (bool, string) {
			initiator := c.at("initiatorPrincipalId")
			kind, id := initiator.word("type"), initiator.word("id")
			known := kind == string(seqr.TerminalID) || kind == string(seqr.Reseller) && (initiator.word("userId") != "" || strings.Contains(id, "/"))
			return known && id != "", quoted(strings.TrimSpace(kind + " " + id))
		}},
	}
	var out []verdict
	for _, r := range rules {
		v := verdict{name: r.name, ok: len(calls) > 0}
		for _, x := range calls {
			ok, found := r.hold(x.request.at("context"))
			if v.detail = found; !ok {
				v.ok, v.detail = false, fmt.Sprintf("%s in exchange %d", found, x.n)
				break
			}
		}
		out = append(out, v)
	}
	return out
}

func quoted(s string) string {
	if s == "" {
		return "missing"
	}
	return s
}

// rowRules check the rows of an invoice, and that they sum to its total.
func rowRules(x *recorded) []verdict {
	inv := x.request.at("invoice")
	rows := inv.at("invoiceRows").all("invoiceRow")
	fields := verdict{"each row has itemQuantity and itemTotalAmount", len(rows) > 0, fmt.Sprintf("%d rows", len(rows))}
	sum := decimal.Zero
	for i, r := range rows {
		for _, path := range [][]string{{"itemQuantity"}, {"itemTotalAmount", "value"}} {
			value, err := decimal.Parse(r.word(path...))
			if err != nil && fields.ok {
				fields.ok, fields.detail = false, fmt.Sprintf("row %d: %s: %s", i+1, path[0], quoted(r.word(path...)))
			}
			if path[0] == "itemTotalAmount" && err == nil {
				if sum, err = sum.Add(value); err != nil {
					fields.ok, fields.detail = false, err.Error()
				}
			}
		}
	}
	total, err := decimal.Parse(inv.word("totalAmount", "value"))
	adds := verdict{"the rows sum to totalAmount", err == nil && sum.Cmp(total) == 0,
		fmt.Sprintf("%s, totalAmount %s %s", sum, quoted(inv.word("totalAmount", "value")), inv.word("totalAmount", "currency"))}
	mode := inv.word("acknowledgmentMode")
	return []verdict{fields, adds, {"acknowledgmentMode is said, so that the buyer's app does not wait", mode != "", quoted(mode)}}
}

// versionRule checks the invoiceVersion in all polls of one invoice: 0 at first, then the version of the last answer. Where
// the provider gave no version but 0 before the last poll, sending 0 proves nothing, and the verdict says so.
func versionRule(polls []*recorded) verdict {
	slices.SortStableFunc(polls, func(a, b *recorded) int { return a.At.Compare(b.At) })
	v := verdict{"invoiceVersion is 0 at first, then the last that was received", len(polls) > 0, ""}
	var sent []string
	proved := false
	for _, x := range polls {
		got, want := x.request.word("invoiceVersion"), lastVersion(polls, x.At)
		sent = append(sent, quoted(got))
		if got != want {
			v.ok, v.detail = false, fmt.Sprintf("exchange %d sends %s, expected %s", x.n, quoted(got), want)
			return v
		}
		proved = proved || want != "0"
	}
	v.detail = "sent " + strings.Join(runs(sent), ", ")
	if v.ok && !proved {
		v.detail = "could not be proved: no answer before the last question had a version above 0; " + v.detail
	}
	return v
}

// lastVersion gives the version of the last answer that had arrived at that time.
func lastVersion(polls []*recorded, at time.Time) string {
	last, when := "0", time.Time{}
	for _, x := range polls {
		if version := x.response.word("version"); x.answered(seqr.Success) && version != "" && !x.ended().After(at) && x.ended().After(when) {
			last, when = version, x.ended()
		}
	}
	return last
}

// runs shortens repetitions: "3 (7 times)".
func runs(list []string) []string {
	var out []string
	for i := 0; i < len(list); {
		n := i + 1
		for n < len(list) && list[n] == list[i] {
			n++
		}
		if n-i > 1 {
			out = append(out, fmt.Sprintf("%s (%d times)", list[i], n-i))
		} else {
			out = append(out, list[i])
		}
		i = n
	}
	return out
}

// documentRules compare a receipt's mimeType with its content. A receipt may have no content.
func documentRules(x *recorded) []verdict {
	doc := x.request.at("receiptDocument")
	mime, data := doc.word("mimeType"), strings.Join(strings.Fields(doc.word("receiptData")), "")
	if data == "" {
		return []verdict{{"mimeType fits the content", true, "the receipt has no content"}}
	}
	content, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return []verdict{{"the content is base64", false, err.Error()}}
	}
	ok, detail := fits(mime, content)
	return []verdict{
		{"the content is base64", true, strconv.Itoa(len(content)) + " bytes"},
		{"mimeType fits the content", ok, detail},
	}
}

func fits(mime string, content []byte) (bool, string) {
	head := strings.ToLower(string(content[:min(len(content), 1024)]))
	switch mime {
	case "Base64":
		return true, mime
	case "text/html":
		return strings.Contains(head, "<html") || strings.Contains(head, "<!doctype html"), mime
	case "text/xml", "plain/xml":
		_, err := parse(content)
		return err == nil, mime
	}
	return false, quoted(mime) + ", expected Base64, text/html or text/xml"
}
