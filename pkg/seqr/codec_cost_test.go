package seqr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

// hostileAnswer builds an answer to executeReport of about size bytes out of one repeated piece.
type hostileAnswer struct {
	before, after string // of the pieces
	piece         func(n int) string
}

const hostileReturn = `<e:Envelope xmlns:e="` + soap.EnvelopeNamespace + `"><e:Body><executeReportResponse xmlns="` + soap.ServiceNamespace + `"><return>`

func (h hostileAnswer) build(size int) []byte {
	var b strings.Builder
	b.WriteString(hostileReturn + h.before)
	for n := 0; b.Len() < size; n++ {
		b.WriteString(h.piece(n))
	}
	b.WriteString(h.after + `</return></executeReportResponse></e:Body></e:Envelope>`)
	return []byte(b.String())
}

func same(piece string) func(int) string { return func(int) string { return piece } }

func manyNamespaces(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` xmlns:p%d="u"`, i)
	}
	return b.String()
}

// hostileAnswers are the shapes that cost most: of everything an answer may hold any number of, one.
// Those that are refused for their number of attributes or declarations stand beside those that just pass.
func hostileAnswers() map[string]hostileAnswer {
	fewAttributes := func(int) string {
		var b strings.Builder
		for i := range 60 {
			fmt.Fprintf(&b, ` a%d=""`, i)
		}
		return "<a" + b.String() + "/>"
	}
	return map[string]hostileAnswer{
		"attributes of one tag":            {"<a", "/>", func(n int) string { return fmt.Sprintf(` a%d=""`, n) }},
		"prefixed attributes of one tag":   {"<a", "/>", func(n int) string { return fmt.Sprintf(` e:a%d=""`, n) }},
		"declarations of one tag":          {"<a", "/>", func(n int) string { return fmt.Sprintf(` xmlns:p%d="u"`, n) }},
		"declarations, each in an element": {"", strings.Repeat("</a>", 50), func(n int) string { return fmt.Sprintf(`<b xmlns:p%d="u"/>`, n) }},
		"many declarations, many elements": {"<a" + manyNamespaces(1000) + ">", "</a>", same("<b/>")},
		"some declarations, many elements": {"<a" + manyNamespaces(50) + ">", "</a>", same("<e:b/>")},
		"attributes as many as allowed":    {"", "", fewAttributes},
		"elements":                         {"", "", same("<a/>")},
		"decisive elements":                {"<resultCode>0</resultCode>", "", same("<resultCodes/>")},
		"references":                       {"<resultDescription>", "</resultDescription>", same("&lt;")},
		"references in an attribute":       {`<a b="`, `"/>`, same("&#65;")},
		"a reference without an end":       {"<a>&amp", "</a>", same("x")},
		"a long number in a reference":     {"<a>&#", "65;</a>", same("0")},
		"ampersands":                       {"<a>", "</a>", same("&")},
		"pieces of CDATA":                  {"<resultDescription>", "</resultDescription>", same("<![CDATA[x]]>y")},
		"carriage returns":                 {"<resultDescription>", "</resultDescription>", same("\r\n<!---->")},
		"comments":                         {"", "", same("<!---->")},
		"instructions":                     {"", "", same("<?a?>")},
		"brackets":                         {"<a>", "</a>", same("]]")},
		"a comment that never ends":        {"<!--", "", same("- ")},
		"a long name":                      {"<a", "/>", same("a")},
		"colons in a name":                 {"<a", "/>", same(":")},
		"white space in a tag":             {"<a", "/>", same(" ")},
		"digits":                           {"<resultCode>", "</resultCode>", same("0")},
		"base64 between blanks":            {"<report><content>", "</content></report>", same("A A A A ")},
		"elements in a text":               {"<report><title>", "</title></report>", same("x<a/>")},
		"tokens":                           {"<customerTokens>", "</customerTokens>", same("<token/>")},
		"rows":                             {"<receipt><invoice><invoiceRows>", "</invoiceRows></invoice></receipt>", same("<invoiceRow><itemTotalAmount/></invoiceRow>")},
	}
}

func decodeHostile(data []byte) {
	var report Report
	var status PaymentStatus
	_, _ = soap.ReadAnswer(context.Background(), data, opExecuteReport, func(s *soap.Scanner, name []byte) error {
		if string(name) == "report" {
			return report.read(s)
		}
		return status.read(s, name)
	})
}

// TestDecodingCostsNoMoreThanItsLength compares an answer with one of the same shape that is 64 times as long. A cost that
// grows with the square of the length is 4,096 times as high; one that follows it stays far below 512 times, whatever the memory of
// a longer answer costs on a busy machine.
func TestDecodingCostsNoMoreThanItsLength(t *testing.T) {
	if testing.Short() {
		t.Skip("in the short form: it is one goroutine, which the race detector only makes slow")
	}
	const size, factor, tooMuch = 6 << 10, 64, 512
	for name, h := range hostileAnswers() {
		small, large := h.build(size), h.build(factor*size)
		if ratio := costRatio(func() { decodeHostile(small) }, func() { decodeHostile(large) }, tooMuch); ratio > tooMuch {
			t.Errorf("%s: %d times the length costs %.0f times the time", name, factor, ratio)
		}
	}
}

// costRatio is how many times as long the large run takes as the small one. It compares the quickest of several runs,
// and takes more of them while the ratio is too much: what else the machine does only makes runs slower.
func costRatio(small, large func(), tooMuch float64) (ratio float64) {
	const atLeast, atMost, repeat = 5, 50, 2
	quickest := [2]time.Duration{time.Hour, time.Hour}
	for run := range atMost {
		for i, do := range []func(){small, large} {
			started := time.Now()
			for range repeat {
				do()
			}
			quickest[i] = min(quickest[i], time.Since(started))
		}
		ratio = float64(quickest[1]) / float64(max(quickest[0], time.Microsecond))
		if run+1 >= atLeast && ratio <= tooMuch {
			break
		}
	}
	return ratio
}

// countedContext is over from the given look on.
type countedContext struct {
	context.Context
	looks, over int
}

func (c *countedContext) Err() error {
	if c.looks++; c.over > 0 && c.looks >= c.over {
		return context.DeadlineExceeded
	}
	return nil
}

func decodeWithin(ctx context.Context, data []byte, charset string) error {
	data, _, err := toUTF8(data, "text/xml; charset="+charset)
	if err != nil {
		return err
	}
	var report Report
	_, err = soap.ReadAnswer(ctx, data, opExecuteReport, func(s *soap.Scanner, name []byte) error { return report.read(s) })
	return err
}

func TestDecodingALargeReportEndsWithTheCall(t *testing.T) {
	if testing.Short() {
		t.Skip("in the short form: it is one goroutine, which the race detector only makes slow")
	}
	for name, h := range map[string]hostileAnswer{
		"base64":     {"<resultCode>0</resultCode><report><content>", "</content></report>", same("QUFB\n")},
		"references": {"<resultCode>0</resultCode><report><contentString>", "</contentString></report>", same("&lt;")},
		"elements":   {"<resultCode>0</resultCode>", "", same("<a/>")},
		"text":       {"<resultCode>0</resultCode><report><contentString>", "</contentString></report>", same("ö ")},
	} {
		for _, charset := range []string{"utf-8", "iso-8859-1"} {
			data := h.build(3 << 20)
			calm := &countedContext{Context: t.Context()}
			if err := decodeWithin(calm, data, charset); err != nil {
				t.Fatalf("%s in %s: %v", name, charset, err)
			}
			if calm.looks < len(data)>>20-1 {
				t.Errorf("%s in %s: the time was looked at %d times", name, charset, calm.looks)
			}
			for over := 1; over <= calm.looks; over++ {
				hurried := &countedContext{Context: t.Context(), over: over}
				err := decodeWithin(hurried, data, charset)
				if !errors.Is(err, context.DeadlineExceeded) || hurried.looks > over+2 {
					t.Errorf("%s in %s: over at look %d, went on to %d: %v", name, charset, over, hurried.looks, err)
				}
			}
		}
	}
}

// TestAnAnswerThatArrivedIsDecoded: the time that is over a moment after a refund's answer came must not make
// a known outcome unknown.
func TestAnAnswerThatArrivedIsDecoded(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	body := func(size int) []byte {
		return hostileAnswer{"<resultCode>0</resultCode>", "", same("<a/>")}.build(size)
	}
	small := outcome{status: 200, body: body(1000)}
	small.judge(over, call{operation: opExecuteReport})
	if small.sent != Answered || small.err != nil {
		t.Errorf("a small answer: %v, %v", small.sent, small.err)
	}
	large := outcome{status: 200, body: body(3 << 20)}
	large.judge(over, call{operation: opExecuteReport})
	if large.sent != MaybeSent || !errors.Is(large.err, context.Canceled) {
		t.Errorf("a large answer: %v, %v", large.sent, large.err)
	}
}
