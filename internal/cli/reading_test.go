package cli_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// apiRequest is what a JetStream request asks for, as far as it decides how much of a stream the broker goes through.
type apiRequest struct {
	subject string

	Seq     uint64 `json:"seq"`
	Next    string `json:"next_by_subj"`
	Subject string `json:"subjects_filter"`
	Config  struct {
		Filter  string   `json:"filter_subject"`
		Filters []string `json:"filter_subjects"`
		Policy  string   `json:"deliver_policy"`
	} `json:"config"`
}

// walks says why the broker would keep the stream locked while it goes through it; "" when it answers from its index of
// subjects, or has one message to read.
func (r apiRequest) walks() string {
	literal := func(subject string) bool { return !strings.ContainsAny(subject, "*>") }
	namesOne := func(filter string) bool {
		t := strings.Split(filter, ".")
		return len(t) == 4 && literal(t[2]) && (t[0] != "parked" || literal(t[3]))
	}
	switch t := strings.Split(r.subject, "."); {
	case r.Next != "" && (r.Seq > 1 || !literal(r.Next)):
		return fmt.Sprintf("asks for the next of %s from %d", r.Next, r.Seq)
	case len(r.Config.Filter)+len(r.Config.Filters) > 0 && r.Config.Policy != "new":
		return fmt.Sprintf("a consumer of %v %s from %q", r.Config.Filters, r.Config.Filter, r.Config.Policy)
	case r.Subject != "" && !namesOne(r.Subject):
		return "counts the subjects of " + r.Subject
	case strings.HasPrefix(r.subject, "$JS.API.DIRECT.GET.") && len(t) > 5 && !namesOne(strings.Join(t[5:], ".")):
		return "asks for the last of " + strings.Join(t[5:], ".")
	}
	return ""
}

// longStreams is a broker with an invoice whose events lie far apart. It gives its address and what was asked of it since
// the last time.
func longStreams(t *testing.T) (url string, asked func() []apiRequest) {
	t.Helper()
	broker, b := brokerWithStreams(t)
	amount := func(text string) events.Amount {
		a, err := events.ParseAmount(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	fact := events.Fact{At: b.Now(), Why: "test"}
	change := func(id string, change func(events.Invoice) (events.Invoice, error)) {
		rig.AppendEvents(t, b, events.KeyOf("acme", id), change)
	}
	sell := func(id string) {
		if err := b.PublishRaw(t.Context(), "orders.acme."+id+".placed", "", []byte(`{"orderId":"`+id+`","shop":"acme"}`)); err != nil {
			t.Fatal(err)
		}
		change(id, func(inv events.Invoice) (events.Invoice, error) {
			return inv.IssuedAs(events.Order{Shop: "acme", OrderID: id, Currency: "SEK", Total: amount("100")}, events.ProviderInvoice{Terminal: "t1", ValidFor: time.Minute}, fact)
		})
		change(id, func(inv events.Invoice) (events.Invoice, error) { return inv.PaidWith("ers-"+id, "poller", fact) })
	}
	sell("old")
	for n := range 3 {
		for other := range 5 {
			sell(fmt.Sprintf("other-%d-%d", n, other))
		}
		refund := fmt.Sprint("r", n)
		if err := b.PublishRaw(t.Context(), "orders.acme.old.returned", "", []byte(`{"orderId":"old","shop":"acme","refundId":"`+refund+`","amount":"10"}`)); err != nil {
			t.Fatal(err)
		}
		change("old", func(inv events.Invoice) (events.Invoice, error) {
			return inv.Refunding(events.Refund{RefundID: refund, Amount: amount("10")}, fact)
		})
		if n == 2 {
			change("old", func(inv events.Invoice) (events.Invoice, error) { return inv.RefundInDoubt(refund, fact) })
		} else {
			change("old", func(inv events.Invoice) (events.Invoice, error) { return inv.RefundedAs(refund, "ref-"+refund, fact) })
		}
	}
	if err := b.Replay(t.Context(), bus.ParkedMessage{On: "parked.refunder.acme.old", Parked: events.Parked{Worker: "refunder", Reason: "x", Subject: "orders.acme.old.returned"}, Seq: 7}); err != nil {
		t.Fatal(err)
	}
	sell("last")
	return broker.URL(), spy(t, broker.URL())
}

// spy gives the JetStream requests that were made since the last time.
func spy(t *testing.T, url string) func() []apiRequest {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync("$JS.API.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return func() []apiRequest {
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		var out []apiRequest
		for n, _, err := sub.Pending(); n > 0 && err == nil; n, _, err = sub.Pending() {
			m, err := sub.NextMsg(time.Second)
			if err != nil {
				t.Fatal(err)
			}
			r := apiRequest{subject: m.Subject}
			_ = json.Unmarshal(m.Data, &r) // a request without a body asks for nothing in particular
			out = append(out, r)
		}
		return out
	}
}

// A command that only reads makes no publisher wait: it asks the broker for nothing that it has to look for in the streams.
func TestReadingCommandsNeverMakeTheBrokerWalkAStream(t *testing.T) {
	t.Parallel()
	url, asked := longStreams(t)
	for _, c := range []struct {
		args []string
		ends string // a line that ends the command; "" when it ends by itself
		most int    // requests that depend on the invoice's own events and not on the length of the streams; 0 is any
	}{
		{args: []string{"show", "acme/old"}, most: 40},
		{args: []string{"show", "acme/old", "--json"}, most: 40},
		{args: []string{"watch", "--since", "all", "--shop", "acme", "--invoice", "old", "--orders", "--parked"}, ends: `refund_unknown`},
		{args: []string{"watch", "--since", "1h", "--invoice", "old", "--event", "paid,refunding"}, ends: `refunding .*r2|refunding`},
		{args: []string{"watch", "--since", "1", "--shop", "acme", "--event", "paid,refund_unknown"}, ends: `acme/last`},
		{args: []string{"parked", "list"}},
		{args: []string{"refunds", "list", "--shop", "acme"}},
	} {
		asked()
		args := append(c.args[:len(c.args):len(c.args)], "--nats", url)
		if c.ends == "" {
			good(t, args...)
		} else {
			s := start(t, args...)
			s.until(c.ends)
			s.end()
		}
		requests := asked()
		if len(requests) == 0 {
			t.Errorf("%v: no request was seen", c.args)
		}
		for _, r := range requests {
			if why := r.walks(); why != "" {
				t.Errorf("%v %s", c.args, why)
			}
		}
		if c.most > 0 && len(requests) > c.most {
			t.Errorf("%v makes %d requests", c.args, len(requests))
		}
	}
}

func TestShowHasEveryEventHoweverFarApart(t *testing.T) {
	t.Parallel()
	url, _ := longStreams(t)
	var shown struct {
		State   events.State
		History []struct{ Subject string }
	}
	if err := json.Unmarshal([]byte(good(t, "show", "acme/old", "--json", "--nats", url)), &shown); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range shown.History {
		got = append(got, e.Subject[strings.LastIndex(e.Subject, ".")+1:])
	}
	want := "[placed issued paid returned refunding refunded returned refunding refunded returned refunding refund_unknown old]"
	if fmt.Sprint(got) != want || shown.State != events.Paid {
		t.Errorf("%s with %v, expected %v", shown.State, got, want)
	}
}

func TestWatchGivesThePastOfAllStreamsInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	url, _ := longStreams(t)
	s := start(t, "watch", "--since", "all", "--orders", "--parked", "--json", "--nats", url)
	last := time.Time{}
	for n := 0; ; n++ {
		var e struct {
			Time    time.Time
			Subject string
		}
		if err := json.Unmarshal([]byte(s.until(`^(.*)$`)), &e); err != nil {
			t.Fatal(err)
		}
		if e.Time.Before(last) {
			t.Fatalf("%s of %s comes after %s", e.Subject, e.Time, last)
		}
		last = e.Time
		if e.Subject == "invoices.acme.last.paid" {
			break
		}
	}
	s.end()
}
