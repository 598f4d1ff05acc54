package lifecycle

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/invoicer"
)

// TestBadInputIsParkedUnderItsReason publishes every kind of bad message between good orders.
func TestBadInputIsParkedUnderItsReason(t *testing.T) {
	t.Parallel()
	r := start(t)
	body, err := json.Marshal(rig.Order("7", "10"))
	if err != nil {
		t.Fatal(err)
	}
	good := string(body)
	bad := []struct{ worker, order, event, body, reason string }{
		{"invoicer", "b1", "placed", "{", "body: expected JSON"},
		{"invoicer", "b2", "placed", strings.ReplaceAll(good, `"7"`, `8.5`), "orderId: expected a string, got the number 8.5"},
		{"invoicer", "b3", "placed", strings.Replace(strings.ReplaceAll(good, `"7"`, `"b3"`), `"total":"10","rows"`, `"total":10.0,"rows"`, 1), "total: expected a decimal string"},
		{"invoicer", "b4", "placed", strings.ReplaceAll(strings.ReplaceAll(good, `"7"`, `"b4"`), `SEK`, `QQQ`), "currency: expected an ISO 4217 code"},
		{"invoicer", "b5", "placed", good, "orderId: expected the subject's order"},
		{"invoicer", "b6", "invented", good, `subject: the event "invented" is not one of`},
		{"invoicer", "b7", "placed", `{"rows":"` + strings.Repeat("x", 1<<20) + `"}`, "body: expected at most 262144 bytes"},
		{"invoicer", "b.8", "placed", good, "subject: expected <kind>.<shop>.<id>.<event>, got 5 tokens"},
		{"canceler", "b9", "canceled", `{"shop":"acme"}`, "orderId: missing"},
		{"refunder", "b10", "returned", `{"shop":"acme","orderId":"b10"}`, "refundId: missing"},
	}
	for i, b := range bad {
		r.Place(rig.Order(fmt.Sprintf("good%d", i), "10"))
		r.Raw("orders.acme."+b.order+"."+b.event, []byte(b.body))
	}
	for i, b := range bad {
		p := r.WaitParked(b.worker, b.order)
		if !strings.Contains(p.Reason, b.reason) || p.Stream != events.OrdersStream || p.Sequence != uint64(2*i+2) {
			t.Errorf("%s %s: parked %+v; want the reason %q", b.order, b.event, p, b.reason)
		}
		r.Wait(fmt.Sprintf("good%d", i), events.EventIssued)
	}
	if n := r.Parked(); n != len(bad) {
		t.Errorf("%d parked; want %d", n, len(bad))
	}
}

// allShops has credentials for every shop.
type allShops struct{ rig.Shops }

func (allShops) Terminal(string) (seqr.Principal, bool) { return rig.Shops{}.Terminal(rig.Shop) }

func TestShopWithoutCredentialsIsParkedAndReplayedOnceItHasSome(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	cfg := invoicer.Config{Bus: r.Bus, Provider: r.Client, Shops: rig.Shops{}, ValidFor: time.Minute, Log: r.Log}
	stop := r.Run(invoicer.New(cfg))
	o := rig.Order("1001", "10")
	o.Shop = "nobody"
	r.Place(o)
	m := r.First("parked.invoicer.nobody.1001")
	p, _, err := events.DecodeParked(m)
	if err != nil || !strings.Contains(p.Reason, `shop: no credentials for "nobody"`) {
		t.Fatalf("%+v, %v", p, err)
	}
	stop()
	cfg.Shops = allShops{}
	r.Run(invoicer.New(cfg))
	if err := r.Bus.Replay(t.Context(), bus.ParkedMessage{On: "parked.invoicer.nobody.1001", Parked: p, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	r.First("invoices.nobody.1001.issued")
}

func TestProviderDownParksNothingAndWorkResumes(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.setFaults(map[string][]sandbox.Fault{"*": {{Kind: "http500", Count: 4}}, "sendInvoice": {{Kind: "dropBefore", Count: 1}}})
	r.start(r.Client)
	for i := range 3 {
		r.Place(rig.Order(fmt.Sprint(i), "10"))
	}
	for i := range 3 {
		r.pay(fmt.Sprint(i))
	}
	for i := range 3 {
		r.Wait(fmt.Sprint(i), events.EventReceipted)
	}
	if r.Parked() != 0 {
		t.Errorf("%d parked", r.Parked())
	}
}
