package openapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderapi"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// operation is what the document says of one.
type operation struct {
	ID          string `json:"operationId"`
	Method      string
	Path        string
	Description string `json:"description"`
	RequestBody struct {
		Content map[string]media
	} `json:"requestBody"`
	Responses map[string]struct {
		Description string `json:"description"`
		Content     map[string]media
	} `json:"responses"`
}

type media struct{ Example any }

// operations reads the document, and puts the example order into the paths.
func operations(t *testing.T) map[string]operation {
	t.Helper()
	text, err := os.ReadFile("../../schemas/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]operation{}
	for path, item := range doc.Paths {
		for method, o := range item {
			o.Method, o.Path = strings.ToUpper(method), strings.NewReplacer("{shop}", rig.Shop, "{order}", "1001").Replace(path)
			all[o.ID] = o
		}
	}
	return all
}

// body is the example of the request.
func (o operation) body(t *testing.T) string {
	t.Helper()
	if o.Method == http.MethodGet {
		return ""
	}
	text, err := json.Marshal(o.RequestBody.Content["application/json"].Example)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// example is that of an answer.
func (o operation) example(t *testing.T, status int) any {
	t.Helper()
	r, ok := o.Responses[strconv.Itoa(status)]
	if !ok || len(r.Content) != 1 || r.Description == "" || o.Description == "" {
		t.Fatalf("%s: the answer %d is not described", o.ID, status)
	}
	for _, m := range r.Content {
		if m.Example != nil {
			return m.Example
		}
	}
	t.Fatalf("%s: the answer %d has no example", o.ID, status)
	return nil
}

// call is a request that differs from the operation's example where a field is given.
type call struct {
	path, query, body, token, last string
}

func (s system) call(o operation, c call) *http.Response {
	s.T.Helper()
	path := o.Path
	if c.path != "" {
		path = c.path
	}
	req, err := http.NewRequestWithContext(s.T.Context(), o.Method, s.url+path+c.query, strings.NewReader(c.body))
	if err != nil {
		s.T.Fatal(err)
	}
	if c.token == "" {
		c.token = token
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if c.last != "" {
		req.Header.Set("Last-Event-ID", c.last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { resp.Body.Close() })
	return resp
}

// expect makes a request and compares its answer with the example for that status.
func (s system) expect(t *testing.T, o operation, status int, c call) {
	t.Helper()
	resp := s.call(o, c)
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Errorf("%s: %v %d %s; want %d", o.ID, err, resp.StatusCode, text, status)
		return
	}
	var have any
	if err := json.Unmarshal(text, &have); err != nil {
		t.Fatal(err)
	}
	compare(t, fmt.Sprint(o.ID, " ", status), o.example(t, status), have)
}

// varying are fields whose values differ from run to run.
var varying = []string{"invoiceReference", "qrCode", "link", "issuedAt", "dueAt", "endedAt", "paidAt", "ersReference", "at", "id", "why"}

func compare(t *testing.T, name string, example, have any) {
	t.Helper()
	if diff := cmp.Diff(masked(example), masked(have)); diff != "" {
		t.Errorf("%s: the document (-) and the API (+)\n%s", name, diff)
	}
}

// masked replaces what varies, and what an error names of it.
func masked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range v {
			if out[name] = masked(value); slices.Contains(varying, name) && value != "" {
				out[name] = "…"
			}
		}
		return out
	case []any:
		var out []any
		for _, value := range v {
			out = append(out, masked(value))
		}
		return out
	case string:
		if strings.HasPrefix(v, "expected the id of an event of this stream, 0 to ") {
			return "expected the id of an event of this stream, 0 to …"
		}
	}
	return v
}

// Every example of a request is carried out, and every example of an answer is what the API answers.
func TestTheExamplesAreTrue(t *testing.T) {
	ops := operations(t)
	place, get, cancel, back, stream := ops["placeOrder"], ops["getOrder"], ops["cancelOrder"], ops["returnOrder"], ops["streamEvents"]
	s := start(t, orderapi.Config{})
	s.Record(rig.Recorded{ID: "9", Reference: s.SendInvoice("9")}) // a stream that begins after nothing has no id to begin with
	listening := s.call(stream, call{})
	wait := "?wait=25s"
	s.expect(t, place, 201, call{query: wait, body: place.body(t)})
	s.expect(t, place, 200, call{query: wait, body: place.body(t)})
	if resp := s.call(get, call{}); resp.StatusCode != http.StatusOK {
		t.Errorf("get: %s", resp.Status)
	}
	compare(t, "streamEvents", stream.example(t, 200), events(t, listening, 2))
	s.Pay(s.WaitRecorded("1001", "issued").InvoiceReference)
	s.expect(t, get, 200, call{query: wait})
	s.expect(t, back, 202, call{query: wait, body: back.body(t)})
	s.expect(t, back, 200, call{query: wait, body: back.body(t)})

	other := start(t, orderapi.Config{})
	if resp := other.call(place, call{query: wait, body: place.body(t)}); resp.StatusCode != http.StatusCreated {
		t.Errorf("place: %s", resp.Status)
	}
	other.expect(t, cancel, 202, call{query: wait, body: cancel.body(t)})
	other.expect(t, cancel, 200, call{query: wait, body: cancel.body(t)})
}

// events reads n of a stream, as the document shows them.
func events(t *testing.T, stream *http.Response, n int) (all []any) {
	t.Helper()
	e := map[string]any{}
	for lines := bufio.NewScanner(stream.Body); len(all) < n && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id", "event":
			e[name] = value
		case "data":
			var data any
			if err := json.Unmarshal([]byte(value), &data); err != nil {
				t.Fatal(err)
			}
			e[name] = data
		case "":
			all, e = append(all, e), map[string]any{}
		}
	}
	return all
}

// Every error that the document names, of every operation, is what the API answers.
func TestTheErrorsAreThoseOfTheDocument(t *testing.T) {
	ops := operations(t)
	s := serve(rig.New(t, sandbox.Config{}), orderapi.Config{})
	s.Record(rig.Recorded{ID: "9", Reference: "r9"}) // so that there is an event
	for _, step := range []string{"placeOrder", "returnOrder"} {
		if resp := s.call(ops[step], call{body: ops[step].body(t)}); resp.StatusCode >= 300 {
			t.Fatalf("%s: %s", step, resp.Status)
		}
	}
	replaced := func(o operation, old, other string) string { return strings.ReplaceAll(o.body(t), old, other) }
	provoke := map[int]func(operation) call{
		400: func(operation) call { return call{body: "[]"} },
		401: func(o operation) call { return call{token: "wrong", body: o.body(t)} },
		404: func(o operation) call { return call{path: strings.Replace(o.Path, "1001", "1002", 1), body: o.body(t)} },
		409: func(o operation) call {
			return call{body: strings.ReplaceAll(replaced(o, "149.50", "99.00"), "49.50", "50.00")}
		},
		413: func(o operation) call { return call{body: o.body(t) + strings.Repeat(" ", 300<<10)} },
		422: func(o operation) call {
			return map[string]call{
				"placeOrder":   {body: strings.Replace(o.body(t), `"total":"149.50","validFor"`, `"total":"150.00","validFor"`, 1)},
				"getOrder":     {query: "?wait=1h"},
				"cancelOrder":  {body: `{"keepPaid":"yes"}`},
				"returnOrder":  {body: `{"amount":"49.50"}`},
				"streamEvents": {last: "99"},
			}[o.ID]
		},
	}
	slow := map[int]bool{408: true, 429: true, 503: true} // tested below
	for _, id := range slices.Sorted(maps.Keys(ops)) {
		for code := range ops[id].Responses {
			status, err := strconv.Atoi(code)
			if err != nil || status < 400 {
				continue
			}
			if ops[id].example(t, status); slow[status] {
				continue
			}
			s.expect(t, ops[id], status, provoke[status](ops[id]))
		}
	}
}

func TestTheErrorsOfTheTimeAreThoseOfTheDocument(t *testing.T) {
	ops := operations(t)
	r := rig.New(t, sandbox.Config{})
	busy := serve(r, orderapi.Config{PerMinute: 1})
	busy.call(ops["getOrder"], call{})
	away := serve(r, orderapi.Config{Bus: closed(r)})
	for _, o := range ops {
		few := busy.call(o, call{body: o.body(t)})
		var p struct {
			Status int
			Detail string
		}
		if err := json.NewDecoder(few.Body).Decode(&p); err != nil || few.StatusCode != 429 || p.Detail != "the shop has made 1 requests within a minute" || few.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %s %+v %v", o.ID, few.Status, p, err)
		}
		away.expect(t, o, 503, call{body: o.body(t)})
	}
}

// closed is a connection that has ended.
func closed(r *rig.Rig) *bus.Bus {
	b := r.Connect()
	b.Close()
	return b
}

// A client that sends its body too slowly is told so.
func TestASlowBodyIsThatOfTheDocument(t *testing.T) {
	s := serve(rig.New(t, sandbox.Config{}), orderapi.Config{})
	var all sync.WaitGroup
	for _, o := range operations(t) {
		if o.Method == http.MethodGet {
			continue
		}
		all.Go(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: seqrflow\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\n{", o.Path, token)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Errorf("%s: %v", o.ID, err)
				return
			}
			defer resp.Body.Close()
			var have any
			if err := json.NewDecoder(resp.Body).Decode(&have); err != nil || resp.StatusCode != http.StatusRequestTimeout {
				t.Errorf("%s: %s %v", o.ID, resp.Status, err)
			}
			compare(t, o.ID+" 408", o.Responses["408"].Content["application/problem+json"].Example, have)
		})
	}
	all.Wait()
}
