package orderapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"
	"pgregory.net/rapid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

type object = map[string]any

func at(t *testing.T, v any, path ...string) any {
	t.Helper()
	for _, key := range path {
		o, ok := v.(object)
		if !ok || o[key] == nil {
			t.Fatalf("no %s in the document", strings.Join(path, "."))
		}
		v = o[key]
	}
	return v
}

func parse(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// bodies are the API's schemas and those of the events that they stand for.
var bodies = map[string]string{"OrderBody": "placed", "CancelBody": "canceled", "ReturnBody": "returned"}

// A state of the table is one that the API may answer and that a caller may wait with, and its page explains it.
func TestTheDocumentHasEveryState(t *testing.T) {
	page, err := os.ReadFile("../../docs/connect/http-api.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| ([A-Z, ]+) \|`).FindAllSubmatch(page, -1)
	explained := map[any]bool{}
	for _, row := range rows {
		for _, state := range strings.Split(string(row[1]), ", ") {
			explained[state] = true
		}
	}
	want := map[any]bool{"PREPARING": true}
	for _, row := range events.Transitions() {
		if row.To != "" {
			want[string(row.To)] = true
		}
	}
	set := func(enum any) map[any]bool {
		all := map[any]bool{}
		for _, state := range enum.([]any) {
			all[state] = true
		}
		return all
	}
	doc := parse(t, document(t))
	parameters := at(t, doc, "paths", "/v1/shops/{shop}/orders/{order}", "get", "parameters").([]any)
	i := slices.IndexFunc(parameters, func(p any) bool { return p.(object)["name"] == "state" })
	for where, got := range map[string]map[any]bool{
		"state.go": set(at(t, doc, "components", "schemas", "OrderState", "properties", "state", "enum")), "orders.go": set(at(t, parameters[i], "schema", "enum")),
		"docs/connect/http-api.md": explained,
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -the table of states +the API\n%s", where, diff)
		}
	}
}

// The API's bodies say what the schemas of the events say, but for what the path has, and for limits that the event's schema leaves to
// its description.
func TestTheBodiesAreThoseOfTheEvents(t *testing.T) {
	schemas := at(t, parse(t, document(t)), "components", "schemas")
	for body, event := range bodies {
		text, err := os.ReadFile("../../schemas/order." + event + ".v1.json")
		if err != nil {
			t.Fatal(err)
		}
		want := parse(t, text)
		compareObjects(t, body, at(t, schemas, body), want)
		if event != "canceled" {
			compareObjects(t, "OrderRow", at(t, schemas, "OrderRow"), at(t, want, "$defs", "Row"))
		}
	}
}

func compareObjects(t *testing.T, name string, have, want any) {
	t.Helper()
	haveAll, wantAll := at(t, have, "properties").(object), at(t, want, "properties").(object)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(wantAll)), slices.Sorted(maps.Keys(haveAll))); diff != "" {
		t.Errorf("%s: the fields of the event (-) and of the API (+)\n%s", name, diff)
	}
	if have.(object)["additionalProperties"] != true {
		t.Errorf("%s: the decoder leaves other fields alone, the schema does not", name)
	}
	for field := range haveAll {
		for _, limit := range []string{"minLength", "maxLength", "minItems", "maxItems", "type"} {
			h, w := haveAll[field].(object)[limit], wantAll[field].(object)[limit]
			if w != nil && fmt.Sprint(h) != fmt.Sprint(w) {
				t.Errorf("%s.%s: %s is %v, that of the event %v", name, field, limit, h, w)
			}
		}
	}
	required := func(schema any) (fields []string) {
		list, _ := schema.(object)["required"].([]any)
		for _, f := range list {
			// The path has these.
			if f != "shop" && (f != "orderId" || name == "OrderBody") {
				fields = append(fields, f.(string))
			}
		}
		slices.Sort(fields)
		return fields
	}
	if diff := cmp.Diff(required(want), required(have)); diff != "" {
		t.Errorf("%s: required by the event (-) and by the API (+)\n%s", name, diff)
	}
}

// generator makes bodies from the document's schemas.
type generator struct {
	t       *rapid.T
	schemas object
}

// value makes a value that the schema allows. A decimal has at most two digits after the point, as the currency has.
func (g generator) value(name string, schema object) any {
	if ref, ok := schema["$ref"].(string); ok {
		return g.object(g.schemas[ref[strings.LastIndex(ref, "/")+1:]].(object))
	}
	if of, ok := schema["oneOf"].([]any); ok {
		return g.value(name, rapid.SampledFrom(of).Draw(g.t, name+" is").(object))
	}
	limit := func(key string, otherwise int) int {
		if n, ok := schema[key].(float64); ok {
			return int(n)
		}
		return otherwise
	}
	switch schema["type"] {
	case "string":
		if p, ok := schema["pattern"].(string); ok {
			return g.patterned(name, p)
		}
		if name == "validFor" {
			return rapid.SampledFrom([]string{"1s", "15m", "720h", "PT15M", "P30D"}).Draw(g.t, name)
		}
		least, most := limit("minLength", 0), limit("maxLength", 300)
		return rapid.StringOfN(rapid.RuneFrom([]rune("aZ9 -_.ÅÖ漢😀\"\\\n")), least, most, -1).Draw(g.t, name)
	case "integer":
		return json.Number(fmt.Sprint(rapid.Int64().Draw(g.t, name)))
	case "number":
		return json.Number(g.decimal(name, limit("minimum", 1), limit("maximum", 999999)))
	case "boolean":
		return rapid.Bool().Draw(g.t, name)
	case "array":
		var list []any
		for range rapid.IntRange(limit("minItems", 0), 4).Draw(g.t, name+"s") {
			list = append(list, g.value(name, schema["items"].(object)))
		}
		return list
	}
	g.t.Fatalf("%s: no generator for %v", name, schema)
	return nil
}

func (g generator) decimal(name string, least, most int) string {
	return decimal.MustNew(rapid.Int64Range(int64(least)*100, int64(most)*100).Draw(g.t, name), 2).Trim(rapid.IntRange(0, 2).Draw(g.t, "digits")).String()
}

func (g generator) patterned(name, pattern string) string {
	switch {
	case strings.Contains(pattern, "a-f"):
		return rapid.StringMatching(pattern).Draw(g.t, name)
	case strings.Contains(pattern, "A-Z"):
		return "SEK" // an active currency
	case name == "taxRate":
		return g.decimal(name, 0, 100)
	}
	return g.decimal(name, 1, 999999)
}

// object makes an object with the required fields and some of the others.
func (g generator) object(schema object) object {
	o := object{}
	required, _ := schema["required"].([]any)
	properties := schema["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(required, any(name)) || rapid.Bool().Draw(g.t, "has "+name) {
			o[name] = g.value(name, properties[name].(object))
		}
	}
	if rapid.Bool().Draw(g.t, "has a field of its own") {
		o["x-own"] = object{"a": 1}
	}
	return o
}

// consistent makes true what a schema cannot say: ids are those of the path, the rows sum to the total, and a backUrl is a URL.
func consistent(o object, sum string) {
	if _, ok := o["shop"]; ok {
		o["shop"] = "acme"
	}
	if _, ok := o["backUrl"]; ok {
		o["backUrl"] = "shop.acme://paid"
	}
	rows, ok := o["rows"].([]any)
	if !ok {
		return
	}
	total := events.Amount{}
	for _, r := range rows {
		a, err := events.ParseAmount(r.(object)["total"].(string))
		if err != nil {
			panic(err)
		}
		total = total.Add(a)
	}
	o[sum] = total.String()
}

// What the document allows is accepted.
func TestWhatTheDocumentAllowsIsAccepted(t *testing.T) {
	f := start(t)
	schemas := at(t, parse(t, document(t)), "components", "schemas").(object)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		g := generator{rt, schemas}
		send := func(path string, body object) {
			text, err := json.Marshal(body)
			if err != nil {
				rt.Fatal(err)
			}
			var answer any
			if code := f.call("POST", path, string(text), &answer); code >= 300 {
				rt.Fatalf("%s %s: %d %v", path, text, code, answer)
			}
		}
		n++
		id := fmt.Sprintf("order %d", n)
		placed := g.object(schemas["OrderBody"].(object))
		consistent(placed, "total")
		if _, isText := placed["orderId"].(string); isText {
			placed["orderId"] = id
		} else {
			placed["orderId"] = json.Number(fmt.Sprint(n))
			id = fmt.Sprint(n)
		}
		delete(placed, "invoiceId") // may be another order's
		send(orders, placed)
		path := orders + "/" + strings.ReplaceAll(id, " ", "%20")
		for _, body := range []string{"CancelBody", "ReturnBody"} {
			o := g.object(schemas[body].(object))
			consistent(o, "amount")
			for _, name := range []string{"orderId", "invoiceId"} {
				if _, ok := o[name]; ok {
					o[name] = id
				}
			}
			if body == "CancelBody" {
				send(path+"/cancel", o)
				continue
			}
			o["refundId"] = fmt.Sprintf("r%d", n) // not one that is reserved
			send(path+"/returns", o)
		}
	})
	if n == 0 {
		t.Error("nothing was sent")
	}
}

// What the decoder takes beyond plain strings is in the document: the same order, spelt otherwise, is the same.
func TestOtherSpellingsAreTheSame(t *testing.T) {
	f := start(t)
	var s any
	f.call("POST", orders, order("1001", "10.00"), &s)
	for _, body := range []string{
		`{"orderId":1001,"currency":"SEK","total":"10.0","rows":[{"description":"Tea","quantity":"1.0","total":"10"}]}`,
		`{"shop":"acme","orderId":"1001","currency":"SEK","total":"10.00","rows":[{"description":"Tea","quantity":1,"total":"10.00","taxRate":25,"own":true}],"title":null}`,
	} {
		if code := f.call("POST", orders, body, &s); code != http.StatusOK {
			t.Errorf("%s: %d %v", body, code, s)
		}
	}
}
