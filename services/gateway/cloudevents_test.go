package gateway_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestCloudEventsOfAShop(t *testing.T) {
	d := open(t)
	order := `{"orderId":"7","shop":"acme","currency":"SEK","total":"10.00","rows":[{"description":"Tea","quantity":1,"total":"10.00"}]}`
	wrapped := func(id string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/shop","type":"seqrflow.order.placed.v1","datacontenttype":"application/json","data":%s}`,
			id, strings.ReplaceAll(order, `"7"`, `"`+id+`"`))
	}
	code, text := d.event("application/cloudevents+json", wrapped("7"))
	expect(t, "structured", code, text, http.StatusAccepted, "published: placed")
	code, text = d.event("application/cloudevents-batch+json", "["+wrapped("8")+","+strings.ReplaceAll(wrapped("9"), `"10.00"`, `"11.00"`)+`,{"specversion":"1.0","id":"x","source":"/shop","type":"seqrflow.order.placed.v1","data":{"orderId":"10","shop":"acme"}}]`)
	expect(t, "a batch with a part that is wrong", code, text, http.StatusAccepted, "kept for a person")
	if got, want := strings.Join(d.orders(), " "), "orders.acme.7.placed orders.acme.8.placed orders.acme.9.placed"; got != want {
		t.Errorf("ORDERS has %s; want %s", got, want)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, d.URL+"/hooks/acme/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("WebHook-Request-Origin", "sender.example")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("WebHook-Allowed-Origin") != "sender.example" {
		t.Errorf("OPTIONS: %d %v", resp.StatusCode, resp.Header)
	}
}

// A part of a batch that was parked is replayed alone: what is wrong with it, or with this version, is said of it as before.
func TestAPartOfABatchIsReplayedAlone(t *testing.T) {
	d := open(t)
	code, text := d.event("application/cloudevents-batch+json", `[{"specversion":"1.0","id":"x","source":"/shop","type":"seqrflow.order.placed.v1","data":{"orderId":"10","shop":"acme"}}]`)
	expect(t, "a batch with a part that is wrong", code, text, http.StatusAccepted, "kept for a person")
	d.First("parked.gateway.acme.10")
	all, err := d.Bus.OpenParked(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	if err := d.Bus.Replay(t.Context(), all[0]); err != nil {
		t.Fatal(err)
	}
	d.Idle()
	p, open, err := d.Bus.LastParked(t.Context(), "gateway", "acme", "10")
	if err != nil || !open || d.Parked() != 3 || !strings.Contains(p.Reason, "data.currency") {
		t.Errorf("PARKED has %d messages, the last with %q, %v, %v; want 3 (parked, replayed, parked), with data.currency", d.Parked(), p.Reason, open, err)
	}
}

// A sender repeats a cancellation whose answer was lost, after it has placed the order once more: it does not end the new payment. Another
// cancellation does, also of a sender that reuses ids.
func TestARepeatedEventIsKnownAfterLaterOnes(t *testing.T) {
	d := open(t)
	event := func(id, kind, data string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/shop","type":"seqrflow.order.%s.v1","data":{"orderId":"7","shop":"acme"%s}}`, id, kind, data)
	}
	const placed = `,"currency":"SEK","total":"10.00","rows":[{"description":"Tea","quantity":1,"total":"10.00"}]`
	for i, step := range []struct{ body, want string }{
		{event("1", "placed", placed), "published: placed"},
		{event("2", "canceled", ""), "published: canceled"},
		{event("3", "placed", placed+`,"invoiceId":"7-b"`), "published: placed"},
		{event("2", "canceled", ""), "nothing new"},
		{event("1", "placed", placed), "nothing new"},
		{event("2", "canceled", `,"reason":"another"`), "published: canceled"},
		{event("4", "canceled", ""), "published: canceled"},
	} {
		code, text := d.event("application/cloudevents+json", step.body)
		expect(t, fmt.Sprint("step ", i+1), code, text, http.StatusAccepted, step.want)
	}
	binary := func() (int, string) {
		const body = `{"orderId":"7","shop":"acme","invoiceId":"7-b"}`
		at := strconv.FormatInt(time.Now().Unix(), 10)
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(eventsSecret, "whsec_"))
		if err != nil {
			t.Fatal(err)
		}
		return d.post("/hooks/acme/events", body, "Content-Type", "application/json", "ce-specversion", "1.0", "ce-id", "5", "ce-source", "/shop", "ce-type", "seqrflow.order.canceled.v1",
			"Webhook-Id", "m1", "Webhook-Timestamp", at, "Webhook-Signature", "v1,"+sign(string(key), "m1."+at+"."+body))
	}
	both := make(chan int, 2)
	for range cap(both) { // two at the same moment
		go func() {
			code, _ := d.event("application/cloudevents+json", event("8", "canceled", `,"reason":"at once"`))
			both <- code
		}()
	}
	for range cap(both) {
		if code := <-both; code != http.StatusAccepted {
			t.Errorf("two at the same moment: %d", code)
		}
	}
	code, text := binary()
	expect(t, "binary", code, text, http.StatusAccepted, "published: canceled")
	d.event("application/cloudevents+json", event("6", "placed", placed+`,"invoiceId":"7-c"`))
	code, text = binary()
	expect(t, "binary, again", code, text, http.StatusAccepted, "nothing new")
}
