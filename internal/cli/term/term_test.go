package term_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestTextFromOutsideCannotDriveTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"Räksmörgås, 日本茶":     "Räksmörgås, 日本茶",
		"a\x1b[31mred":        "a\uFFFD[31mred",
		"two\nlines\tand tab": "two lines and tab",
		"right\u202eleft":     "right\uFFFDleft",
		"bad \xff utf":        "bad \uFFFD utf",
		"bell\a\x00":          "bell\uFFFD\uFFFD",
	} {
		if got := term.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, expected %q", in, got, want)
		}
	}
}

func TestTableAlignsByColumnsNotBytes(t *testing.T) {
	var b bytes.Buffer
	term.Table(&b, false, []string{"shop", "paid"}, [][]string{{"bücher-eck", "9.95"}, {"日本茶", "1000"}, {"acme", "11521.00"}}, 1)
	want := "shop            paid\nbücher-eck      9.95\n日本茶          1000\nacme        11521.00\n"
	if b.String() != want {
		t.Errorf("got\n%s\nexpected\n%s", b.String(), want)
	}
}

func TestColourOnlyOnATerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if term.PaintFor(f) || term.PaintFor(null) || term.PaintFor(&bytes.Buffer{}) {
		t.Error("a file, the null device or a buffer is coloured")
	}
	if got := term.Paint(false).In(term.Red, "x"); got != "x" {
		t.Errorf("uncoloured text is %q", got)
	}
	if got := term.Paint(true).In(term.Red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("coloured text is %q", got)
	}
}

func TestTokensAreShownAsTheIdsTheyStandFor(t *testing.T) {
	for _, id := range []string{"1001", "order 7.1", "x-mas", "bücher-eck", "x-"} {
		if got := term.ID(events.Token(id)); got != id {
			t.Errorf("ID(Token(%q)) = %q", id, got)
		}
	}
	long := events.Token(strings.Repeat("long ", 40))
	if got := term.ID(long); got != long {
		t.Errorf("the token of an id that is too long is shown as %q", got)
	}
}

func TestLines(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 8, 7, 6e6, time.UTC)
	l := term.Lines{Zone: time.UTC}
	for name, c := range map[string]struct {
		entry bus.Entry
		want  string
	}{
		"issued": {
			bus.Entry{Stream: events.InvoicesStream, Message: events.Message{Body: []byte(`{"data":{"shop":"acme","invoiceId":"order 1","state":"ISSUED","currency":"SEK","total":"149.5",
				"change":{"event":"issued","at":"2026-11-22T09:08:07.006Z","why":"accepted"}}}`)}},
			"09:08:07.006Z  acme/order 1                    issued          ISSUED        149.50 SEK  accepted",
		},
		"refund": {
			bus.Entry{Stream: events.InvoicesStream, Message: events.Message{Body: []byte(`{"data":{"shop":"acme","invoiceId":"1","state":"RECEIPTED","currency":"SEK","total":"149.5",
				"refunds":[{"refundId":"r","amount":"20","status":"done"}],"change":{"event":"refunded","refundId":"r","at":"2026-11-22T09:08:07.006Z","why":"paid back"}}}`)}},
			"09:08:07.006Z  acme/1                          refunded        RECEIPTED     -20.00 SEK  paid back",
		},
		"order in an event": {
			bus.Entry{Stream: events.OrdersStream, Time: at, Message: events.Message{Subject: "orders.acme.1.placed",
				Body: []byte(`{"specversion":"1.0","data":{"shop":"acme","orderId":"1","currency":"JPY","total":"1000"}}`)}},
			"09:08:07.006Z  acme/1                          order placed                    1000 JPY",
		},
		"order that is not JSON": {
			bus.Entry{Stream: events.OrdersStream, Time: at, Message: events.Message{Subject: "orders.acme.1.placed",
				Body: []byte("\x1b[2J")}},
			"09:08:07.006Z  acme/1                          order placed",
		},
		"parked": {
			bus.Entry{Stream: events.ParkedStream, Time: at, Message: events.Message{Subject: "parked.invoicer.acme.7",
				Body: []byte(`{"type":"seqrflow.parked.parked.v1","data":{"worker":"invoicer","reason":"total: missing","subject":"orders.acme.` + events.Token("7 b") + `.placed"}}`)}},
			"09:08:07.006Z  acme/7 b                        parked                                    invoicer: total: missing",
		},
		"replayed": {
			bus.Entry{Stream: events.ParkedStream, Time: at, Message: events.Message{Subject: "parked.invoicer.acme.7",
				Body: []byte(`{"type":"seqrflow.parked.replayed.v1","data":{"worker":"invoicer","replays":3,"subject":"orders.acme.7.placed"}}`)}},
			"09:08:07.006Z  acme/7                          replayed                                  parked message 3 goes to the invoicer again",
		},
		"dismissed": {
			bus.Entry{Stream: events.ParkedStream, Time: at, Message: events.Message{Subject: "parked.invoicer.acme.7",
				Body: []byte(`{"type":"seqrflow.parked.dismissed.v1","data":{"worker":"invoicer","dismisses":3,"by":"Ann","why":"a test","subject":"orders.acme.7.placed"}}`)}},
			"09:08:07.006Z  acme/7                          dismissed                                 parked message 3, by Ann: a test",
		},
		"told": {
			bus.Entry{Stream: events.DeliveriesStream, Time: at, Message: events.Message{Subject: "deliveries.acme.woocommerce.7",
				Body: []byte(`{"data":{"shop":"acme","invoiceId":"7","destination":"woocommerce","event":"paid","status":"delivered","detail":"marked as paid","at":"2026-11-22T09:08:07.006Z"}}`)}},
			"09:08:07.006Z  acme/7                          told of paid                              woocommerce: marked as paid",
		},
		"unreadable": {
			bus.Entry{Stream: events.InvoicesStream, Time: at, Message: events.Message{Subject: "invoices.acme.1.paid",
				Body: []byte("?")}},
			"09:08:07.006Z  invoices.acme.1.paid            ?                                         cannot be read",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := l.Event(c.entry); got != c.want {
				t.Errorf("got\n%q\nexpected\n%q", got, c.want)
			}
		})
	}
}

// What a shop has published and what stands in a subject is text from outside, in whatever column it is shown.
func TestNoColumnOfALineDrivesTheTerminal(t *testing.T) {
	const escape = "\x1b[2J"
	for name, e := range map[string]bus.Entry{
		"an order's currency": {Stream: events.OrdersStream, Message: events.Message{Subject: "orders.acme.1.placed",
			Body: []byte(`{"shop":"acme","orderId":"1","currency":"\u001b[2J","total":"1"}`)}},
		"an order event's name": {Stream: events.OrdersStream, Message: events.Message{Subject: "orders.acme.1." + escape}},
		"a foreign event's state": {Stream: events.InvoicesStream, Message: events.Message{Subject: "invoices.acme.1.paid",
			Body: []byte(`{"data":{"shop":"acme","invoiceId":"1","state":"\u001b[2J","currency":"\u001b[2J","total":"1","change":{"event":"\u001b[2J"}}}`)}},
	} {
		if line := (term.Lines{}).Event(e); strings.ContainsRune(line, '\x1b') {
			t.Errorf("%s: %q", name, line)
		}
	}
}

func TestTimesCarryTheirZone(t *testing.T) {
	at := time.Date(2026, 11, 22, 23, 8, 7, 6e6, time.UTC)
	stockholm := term.Lines{Zone: time.FixedZone("CET", 3600)}
	for got, want := range map[string]string{
		stockholm.Clock(at): "00:08:07.006+01:00", stockholm.Date(at): "2026-11-23 00:08:07+01:00", stockholm.Day(at): "2026-11-23",
		term.Lines{Zone: time.UTC}.Date(at): "2026-11-22 23:08:07Z", stockholm.DateOf(nil): "",
		term.Lines{Begun: at.Add(-1500 * time.Millisecond)}.Clock(at): "  1.50 s",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Where a line is about is cut, so that columns stay; a reason is not: it is what a person looks for.
func TestAReasonIsWhole(t *testing.T) {
	reason := strings.TrimSpace(strings.Repeat("räksmörgås ", 20))
	e := bus.Entry{Stream: events.ParkedStream, Time: time.Unix(0, 0), Message: events.Message{Subject: "parked.invoicer.acme.7",
		Body: []byte(`{"type":"seqrflow.parked.parked.v1","data":{"worker":"invoicer","reason":"` + reason + `","subject":"orders.acme.` + events.Token(strings.Repeat("lång ", 10)) + `.placed"}}`)}}
	line := term.Lines{Begun: time.Unix(0, 0)}.Event(e)
	if want := "  0.00 s  acme/x-ortuflazpqyjyjovaagyta…  parked"; !strings.HasPrefix(line, want) || !strings.HasSuffix(line, "  invoicer: "+reason) {
		t.Errorf("%q", line)
	}
}
