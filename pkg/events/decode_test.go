package events_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func fact(why string) events.Fact { return events.Fact{At: noon, Why: why} }

// recordedEvent is one event as the bus writes it.
type recordedEvent struct {
	subject string
	body    []byte
	inv     events.Invoice
}

func recordAs(t testing.TB, actor events.Actor, inv events.Invoice, err error) recordedEvent {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	e, err := events.NewEnvelope("id-1", events.SourceOf(actor), "invoice."+string(inv.Change.Event), "acme/1001", noon, inv)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return recordedEvent{inv.Key().Subject(inv.Change.Event), body, inv}
}

// oneLife has every event once, and the refund of all that is left at its end.
func oneLife(t testing.TB) []recordedEvent {
	t.Helper()
	o, err := events.DecodeOrder(message("orders.acme.1001.placed", good))
	if err != nil {
		t.Fatal(err)
	}
	var all []recordedEvent
	var inv events.Invoice
	add := func(a events.Actor, next events.Invoice, err error) {
		t.Helper()
		all = append(all, recordAs(t, a, next, err))
		inv = next
	}
	next, err := inv.RejectedFor(o, fact("refused"))
	add(events.ActorInvoicer, next, err)
	inv = events.Invoice{}
	next, err = inv.CanceledBeforeIssue(events.Cancellation{Shop: "acme", OrderID: "1001"}, fact("off"))
	add(events.ActorCanceler, next, err)
	inv = events.Invoice{}
	next, err = inv.IssuedAs(o, events.ProviderInvoice{Terminal: "t", Reference: "r", ValidFor: time.Minute}, fact("accepted"))
	add(events.ActorInvoicer, next, err)
	failed, err := inv.EndedBy(events.EventFailed, "poller", fact("declined"))
	all = append(all, recordAs(t, events.ActorPoller, failed, err))
	next, err = inv.MovedBy(events.EventReserved, "poller", fact("reserved"))
	add(events.ActorPoller, next, err)
	next, err = inv.Overdue(fact("late"))
	add(events.ActorPoller, next, err)
	next, err = inv.EndedBy(events.EventExpired, "canceler", fact("too late"))
	add(events.ActorCanceler, next, err)
	next, err = inv.PaidWith("ers", "poller", fact("paid after all"))
	add(events.ActorPoller, next, err)
	next, err = inv.ReceiptedWith(events.Receipt{MIMEType: "text/plain"}, fact("accepted"))
	add(events.ActorReceipter, next, err)
	next, err = inv.RefundRefused(events.Refund{RefundID: "r0", Amount: amountOf(t, "500")}, fact("too much"))
	add(events.ActorRefunder, next, err)
	next, err = inv.Refunding(events.Refund{RefundID: "r1", Amount: amountOf(t, "49.50")}, fact("intent"))
	add(events.ActorRefunder, next, err)
	next, err = inv.RefundInDoubt("r1", fact("no answer"))
	add(events.ActorRefunder, next, err)
	next, err = inv.RefundSettled("r1", true, "ers-1", fact("the report has it"))
	add(events.ActorReconciler, next, err)
	next, err = inv.Refunding(events.Refund{RefundID: "r2", Amount: amountOf(t, "100"), All: true}, fact("intent"))
	add(events.ActorRefunder, next, err)
	next, err = inv.RefundSettled("r2", true, "ers-2", fact("seen"))
	add(events.ActorOperator, next, err)
	return all
}

func TestEventsOfAWholeLifeAreRead(t *testing.T) {
	seen := map[events.Name]bool{}
	for _, r := range oneLife(t) {
		inv, e, err := events.DecodeInvoiceEvent(r.subject, r.body)
		if err != nil {
			t.Errorf("%s: %v", r.subject, err)
			continue
		}
		if inv.State != r.inv.State || inv.Change.Event != r.inv.Change.Event || e.ID != "id-1" {
			t.Errorf("%s: read %s after %s, envelope %q", r.subject, inv.State, inv.Change.Event, e.ID)
		}
		seen[inv.Change.Event] = true
	}
	for _, tr := range events.Transitions() {
		for _, from := range tr.From {
			for _, by := range tr.By {
				to, err := events.Next(from, tr.On, false)
				inv := events.Invoice{Shop: "acme", InvoiceID: "1001", OrderID: "1001", Total: amountOf(t, "10"), State: to,
					Change: events.Change{Event: tr.On, From: from, At: noon}}
				r := recordAs(t, by, inv, err)
				if _, _, err := events.DecodeInvoiceEvent(r.subject, r.body); err != nil {
					t.Errorf("%s on %s by %s: %v", tr.On, from, by, err)
				}
				seen[tr.On] = true
			}
		}
	}
	if len(seen) != len(events.Names()) {
		t.Errorf("%d of %d events were read: %v", len(seen), len(events.Names()), seen)
	}
}

// actors are those of the table.
func actors() (all []events.Actor) {
	for _, tr := range events.Transitions() {
		for _, a := range tr.By {
			if !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return all
}

func TestForeignEventsAreRefused(t *testing.T) {
	paid := oneLife(t)[7]
	refunding := oneLife(t)[10]
	edit := func(r recordedEvent, old, new string) recordedEvent {
		if strings.Count(string(r.body), old) == 0 {
			t.Fatalf("%s is not in %s", old, r.body)
		}
		r.body = []byte(strings.Replace(string(r.body), old, new, 1))
		return r
	}
	on := func(r recordedEvent, subject string) recordedEvent { r.subject = subject; return r }
	cases := []struct {
		name  string
		event recordedEvent
		want  string
	}{
		{"a publish acknowledgement", on(recordedEvent{body: []byte(`{"stream":"ORDERS","seq":7}`)}, paid.subject), `specversion: expected 1.0, got ""`},
		{"not JSON", on(recordedEvent{body: []byte(`+ACK`)}, paid.subject), "expected a CloudEvent"},
		{"empty", on(recordedEvent{}, paid.subject), "expected a CloudEvent"},
		{"null", on(recordedEvent{body: []byte(`null`)}, paid.subject), "specversion"},
		{"bare data", recordedEvent{subject: paid.subject, body: mustJSON(t, paid.inv)}, "specversion"},
		{"an order event", edit(paid, "seqrflow.invoice.paid.v1", "seqrflow.order.placed.v1"), "type: expected seqrflow.invoice.paid.v1"},
		{"version 0", edit(paid, "paid.v1", "paid.v0"), "type: expected"},
		{"no version", edit(paid, "paid.v1", "paid"), "type: expected"},
		{"another event's newer version", edit(paid, "invoice.paid.v1", "invoice.failed.v2"), "type: expected"},
		{"no id", edit(paid, `"id":"id-1"`, `"id":""`), "id: expected"},
		{"a shop's source", edit(paid, `"/seqrflow/poller"`, `"/shop"`), "source: expected /seqrflow/<actor>"},
		{"an unknown worker", edit(paid, `"/seqrflow/poller"`, `"/seqrflow/test"`), "source: expected /seqrflow/ and one of [poller]"},
		{"a worker that may not", edit(paid, `"/seqrflow/poller"`, `"/seqrflow/receipter"`), "source: expected /seqrflow/ and one of [poller]"},
		{"no data", edit(paid, `"data":{`, `"other":{`), "data: expected"},
		{"data of another kind", edit(paid, `"data":{`, `"data":[],"other":{`), "data: expected"},
		{"data that cannot be read", edit(paid, `"total":"149.50"`, `"total":149.5`), "data:"},
		{"another event in data", edit(paid, `"event":"paid"`, `"event":"failed"`), `data.change.event: expected paid, got "failed"`},
		{"another event on the subject", on(paid, "invoices.acme.1001.failed"), "type: expected"},
		{"another shop's subject", on(paid, "invoices.other.1001.paid"), "data.shop: expected a shop with the token other"},
		{"another invoice's subject", on(paid, "invoices.acme.1002.paid"), "data.invoiceId: expected an id with the token 1002"},
		{"another stream's subject", on(paid, "orders.acme.1001.paid"), "subject: expected invoices."},
		{"five tokens", on(paid, "invoices.acme.10.01.paid"), "subject"},
		{"an event that does not exist", on(edit(edit(paid, "invoice.paid.v1", "invoice.invented.v1"), `"event":"paid"`, `"event":"invented"`), "invoices.acme.1001.invented"), "subject: expected an event of an invoice"},
		{"a step that the table does not have", edit(paid, `"from":"EXPIRED"`, `"from":"REFUNDED"`), "data.change.from: expected a state in which paid may be recorded"},
		{"no state before", edit(paid, `"from":"EXPIRED"`, `"from":""`), "data.change.from"},
		{"another state after", edit(paid, `"state":"PAID"`, `"state":"RECEIPTED"`), "data.state: expected PAID after paid on EXPIRED"},
		{"a sum that would overflow", edit(refunding, `"held":"49.50"`, `"held":"9999999999999999999"`), "data.total, refunded, held: expected 0 to 12 digits"},
		{"a refund of less than nothing", edit(refunding, `"amount":"49.50"`, `"amount":"-49.50"`), "data.refunds[1].amount"},
	}
	for _, c := range cases {
		_, _, err := events.DecodeInvoiceEvent(c.event.subject, c.event.body)
		if !errors.Is(err, events.ErrForeignEvent) || errors.Is(err, events.ErrNewerVersion) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v; want %q", c.name, err, c.want)
		}
	}
}

func TestFullRefundLeavesNothing(t *testing.T) {
	life := oneLife(t)
	part, all := life[12], life[14]
	part.body = []byte(strings.Replace(string(part.body), `"state":"RECEIPTED"`, `"state":"REFUNDED"`, 1))
	all.body = []byte(strings.Replace(string(all.body), `"state":"REFUNDED"`, `"state":"RECEIPTED"`, 1))
	for _, r := range []recordedEvent{part, all} {
		if _, _, err := events.DecodeInvoiceEvent(r.subject, r.body); !errors.Is(err, events.ErrForeignEvent) || !strings.Contains(err.Error(), "data.state") {
			t.Errorf("%s refunded of %s in the state %s: %v", r.inv.Refunded, r.inv.Total, r.inv.State, err)
		}
	}
}

func TestEventOfANewerVersionIsLeftToNewerWorkers(t *testing.T) {
	paid := oneLife(t)[7]
	for _, v := range []string{"v2", "v10", "v999"} {
		body := strings.Replace(string(paid.body), "paid.v1", "paid."+v, 1)
		body = strings.Replace(body, `"data":{`, `"data":"a form of its own","was":{`, 1)
		_, e, err := events.DecodeInvoiceEvent(paid.subject, []byte(body))
		if !errors.Is(err, events.ErrNewerVersion) || errors.Is(err, events.ErrForeignEvent) || e.ID != "id-1" {
			t.Errorf("%s: %v, envelope %q", v, err, e.ID)
		}
	}
	stranger := strings.NewReplacer("paid.v1", "paid.v2", "/seqrflow/poller", "/shop").Replace(string(paid.body))
	if _, _, err := events.DecodeInvoiceEvent(paid.subject, []byte(stranger)); !errors.Is(err, events.ErrForeignEvent) {
		t.Errorf("a newer version from a source that is not ours: %v", err)
	}
}

// Every actor × event × state: an event is read only where the table has the step and the actor.
func TestEventIsReadExactlyWhereTheTableHasIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(events.Names()).Draw(t, "event")
		actor := rapid.SampledFrom(append(actors(), "gateway")).Draw(t, "actor")
		from := rapid.SampledFrom(events.States()).Draw(t, "from")
		state := rapid.SampledFrom(events.States()).Draw(t, "state")
		refunded := rapid.SampledFrom([]string{"0", "5", "10"}).Draw(t, "refunded")
		total, _ := events.ParseAmount("10")
		done, _ := events.ParseAmount(refunded)
		inv := events.Invoice{Shop: "acme", InvoiceID: "1001", OrderID: "1001", State: state, Total: total, Refunded: done,
			Change: events.Change{Event: name, From: from, At: noon}}
		e, err := events.NewEnvelope("id", events.SourceOf(actor), "invoice."+string(name), "acme/1001", noon, inv)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		to, err := events.Next(from, name, refunded == "10")
		want := err == nil && to == state && slices.Contains(events.RecordersOf(from, name), actor)
		if _, _, err := events.DecodeInvoiceEvent(inv.Key().Subject(name), body); (err == nil) != want {
			t.Fatalf("%s by %s: %s to %s with %s of 10 refunded: %v", name, actor, from, state, refunded, err)
		}
	})
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
