package orderfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

const bare = `{"shop":"acme","orderId":"1","currency":"SEK","total":"10.00","rows":[{"description":"a","quantity":"1","total":"10.00"}]}`

func TestEveryWayToWriteAnEvent(t *testing.T) {
	cloud := `{"specversion":"1.0","id":"e-1","source":"/shop","type":"seqrflow.order.canceled.v1","data":{"shop":"acme","orderId":"1"}}`
	for name, c := range map[string]struct {
		in            string
		subject, body string
		id            string
	}{
		"bare data":              {bare, "orders.acme.1.placed", bare, ""},
		"CloudEvent":             {cloud, "orders.acme.1.canceled", cloud, "e-1"},
		"type beside the data":   {`{"type":"canceled","shop":"acme","orderId":"1"}`, "orders.acme.1.canceled", `{"orderId":"1","shop":"acme"}`, ""},
		"type and data":          {`{"type":"order.placed","data":` + bare + `}`, "orders.acme.1.placed", bare, ""},
		"whole type, no version": {`{"type":"seqrflow.order.placed.v1","data":` + bare + `}`, "orders.acme.1.placed", bare, ""},
		"ids that are no tokens": {strings.Replace(bare, `"1"`, `"no 1"`, 1), "orders.acme." + events.Token("no 1") + ".placed", strings.Replace(bare, `"1"`, `"no 1"`, 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := orderfile.Parse([]byte(c.in), events.Placed)
			if err != nil {
				t.Fatal(err)
			}
			if e.Subject() != c.subject || string(e.Body) != c.body || e.ID != c.id {
				t.Errorf("subject %s, id %q, body %s", e.Subject(), e.ID, e.Body)
			}
			if err := e.Check(); err != nil {
				t.Errorf("not valid: %v", err)
			}
		})
	}
}

func TestWhatHasNoSubjectIsRefused(t *testing.T) {
	for in, want := range map[string]string{
		`[]`:                                     "expected a JSON object",
		`null`:                                   "expected a JSON object",
		`{"orderId":"1"}`:                        `"shop" missing`,
		`{"shop":7}`:                             `"shop" and "orderId" missing`,
		`{"type":"shipped","shop":"a"}`:          `type: expected "placed"`,
		`{"type":"placed","data":[],"shop":"a"}`: "data: expected a JSON object",
		`{"specversion":"1.0","data":{}}`:        `"shop" and "orderId" missing`,
	} {
		if _, err := orderfile.Parse([]byte(in), events.Placed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", in, err, want)
		}
	}
}

func TestReadTellsTheLine(t *testing.T) {
	pretty := "{\n  \"shop\": \"acme\",\n  \"orderId\": \"2\"\n}"
	evs, err := orderfile.Read(strings.NewReader("\ufeff"+bare+"\n\n"+pretty+"\n"+bare), events.Placed)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, e := range evs {
		lines = append(lines, e.Line)
	}
	if diff := cmp.Diff([]int{1, 3, 7}, lines); diff != "" {
		t.Error(diff)
	}
	for in, want := range map[string]string{
		bare + "\n{\"shop\":\"acme\",\n": "line 2: expected a JSON object: unexpected EOF",
		bare + "\n{\"shop\":\"acme\"}":   `line 2: "orderId" missing`,
		bare + "\n\n  nonsense":          "line 3: expected a JSON object",
	} {
		if _, err := orderfile.Read(strings.NewReader(in), events.Placed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, expected %q", in, err, want)
		}
	}
}

func TestCheckNamesEveryProblem(t *testing.T) {
	e, err := orderfile.Parse([]byte(`{"shop":"acme","orderId":"1","currency":"SEKK","total":1.5,"rows":[]}`), events.Placed)
	if err != nil {
		t.Fatal(err)
	}
	var ps events.Problems
	if !errors.As(e.Check(), &ps) || len(ps) < 3 {
		t.Errorf("problems: %v", ps)
	}
	ret, err := orderfile.Parse([]byte(`{"type":"returned","shop":"acme","orderId":"1"}`), events.Placed)
	if err != nil {
		t.Fatal(err)
	}
	if err := ret.Check(); err == nil || !strings.Contains(err.Error(), "refundId: missing") {
		t.Errorf("a return without refundId: %v", err)
	}
}

func TestGlanceTakesWhatThereIs(t *testing.T) {
	got := orderfile.Glance("orders.acme.1.returned", []byte(`{"shop":"ACME","orderId":"1","invoiceId":"1b","refundId":"r","amount":"5","currency":"EUR","reason":"broken"}`))
	want := orderfile.Seen{Name: events.Returned, Shop: "ACME", Order: "1", Invoice: "1b", Amount: "5.00", Currency: "EUR", Reason: "broken", RefundID: "r"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = orderfile.Glance("orders.acme.1.placed", []byte("not JSON"))
	if diff := cmp.Diff(orderfile.Seen{Name: events.Placed, Shop: "acme", Order: "1", Invoice: "1"}, got); diff != "" {
		t.Error(diff)
	}
}
