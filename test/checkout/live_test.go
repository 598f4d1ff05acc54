package checkout

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/checkout"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/invoicer"
)

// Without a broker the page says that it is checking, and nothing else; once it is back, so is the page, and who had it open is told.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	s := open(t)
	inv := s.placed("1001")
	page := s.page("1001")
	live := s.live(page)
	live.until(checkout.Scan)
	s.way.cut()
	a := s.get(page)
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	s.has(a, `data-state="unreachable"`, "Checking", "http-equiv", `id="reload"`)
	s.lacks(a, "failed", "Nothing was paid", "<svg", "goroutine", "nats:")
	if code := s.post(below(page, "/cancel"), "invoice=1001").StatusCode; code != http.StatusServiceUnavailable {
		t.Errorf("cancel without a broker: %d", code)
	}
	s.Pay(inv.InvoiceReference)
	s.Wait("1001", events.EventPaid)
	s.way.set(false)
	s.shows(page, checkout.Paid)
	if before := live.until(checkout.Paid); len(before) > 0 {
		t.Errorf("meanwhile it was told %v", before)
	}
}

// stream is an open page.
type stream struct {
	s     *shop
	lines *bufio.Scanner
}

// live opens the stream of a page.
func (s *shop) live(page string) *stream {
	s.t.Helper()
	resp := s.stream(page)
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		s.t.Fatalf("%d %s", resp.StatusCode, got)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return &stream{s, lines}
}

// stream asks for the stream of a page; it is closed with the test.
func (s *shop) stream(page string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET", below(page, "/live"), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{}}
	resp, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close(); c.CloseIdleConnections() })
	return resp
}

// until reads the stream until the page is in that state, and gives the states before.
func (st *stream) until(state checkout.State) (before []string) {
	st.s.t.Helper()
	before, _ = st.read(state)
	return before
}

// read reads the stream until the page is in that state, and gives the states before and what the page shows then.
func (st *stream) read(state checkout.State) (before []string, html string) {
	st.s.t.Helper()
	for st.lines.Scan() {
		data, ok := strings.CutPrefix(st.lines.Text(), "data: {")
		if !ok {
			continue
		}
		var n struct{ HTML, Title, Announce string }
		if err := json.Unmarshal([]byte("{"+data), &n); err != nil {
			st.s.t.Fatal(err)
		}
		if strings.Contains(n.HTML, fmt.Sprintf("data-state=%q", state)) {
			return before, n.HTML
		}
		before = append(before, n.Title)
	}
	st.s.t.Fatalf("the stream ended (%v) before %s, after %v", st.lines.Err(), state, before)
	return nil, ""
}

func TestOpenPagesAreToldOfWhatHappens(t *testing.T) {
	t.Parallel()
	s := open(t, invoicer.Name)
	page := s.page("1001")
	s.Place(order("1001"))
	one, two := s.live(page), s.live(page)
	one.until(checkout.Preparing)
	s.invoices()
	inv := s.Wait("1001", events.EventIssued)
	one.until(checkout.Scan)
	s.Pay(inv.InvoiceReference)
	one.until(checkout.Paid)
	two.until(checkout.Paid)
	s.Return("1001", "r1", "")
	one.until(checkout.Refunded)
}
