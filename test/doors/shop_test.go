package doors

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestShopHearsOnlyOfItsOwnInvoices(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	acme := f.connect("shop-acme")
	sub, err := acme.SubscribeSync("invoices.acme.>")
	if err != nil {
		t.Fatal(err)
	}
	replies, err := acme.SubscribeSync("_INBOX.>") // its own, and nobody else's
	if err != nil {
		t.Fatal(err)
	}
	flush(t, acme)
	if _, err := jetStream(t, f.connect("shop-beta")).Publish(t.Context(), "orders.beta.1.placed", nil); err != nil {
		t.Fatal(err)
	}
	poller := jetStream(t, f.connect("poller"))
	for _, subject := range []string{"invoices.beta.1.paid", "invoices.acme.1.paid"} {
		if _, err := poller.Publish(t.Context(), subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	m, err := sub.NextMsg(answerTimeout)
	if err != nil || m.Subject != "invoices.acme.1.paid" {
		t.Errorf("heard %v, %v", m, err)
	}
	flush(t, acme)
	for _, s := range []*nats.Subscription{sub, replies} {
		if n, _, err := s.Pending(); n != 0 || err != nil {
			t.Errorf("%s: %d more messages, %v", s.Subject, n, err)
		}
	}
}

// The last event of an own invoice may be read; the body of the request can't ask for another's.
func TestShopReadsOnlyItsOwnInvoices(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	poller := jetStream(t, f.connect("poller"))
	for _, shop := range f.shops {
		if _, err := poller.Publish(t.Context(), "invoices."+shop+".1.paid", []byte(shop)); err != nil {
			t.Fatal(err)
		}
	}
	acme := f.connect("shop-acme")
	const own = "$JS.API.DIRECT.GET.INVOICES.invoices.acme.1.paid"
	m, err := acme.Request(own, nil, answerTimeout)
	if err != nil || string(m.Data) != "acme" {
		t.Fatalf("%v, %v", m, err)
	}
	for _, body := range []string{
		`{"last_by_subj":"invoices.beta.1.paid"}`, `{"seq":1}`, `{"seq":1,"next_by_subj":"invoices.beta.>"}`, `{"multi_last":["invoices.beta.>"]}`,
		`{"multi_last":["invoices.>"],"batch":100}`, `{"batch":100,"seq":1}`, `{"start_time":"2020-01-01T00:00:00Z","next_by_subj":">"}`, `{"LAST_BY_SUBJ":"invoices.beta.1.paid"}`,
	} {
		m, err := acme.Request(own, []byte(body), answerTimeout)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if bytes.Contains(m.Data, []byte("beta")) || m.Header.Get(jetstream.SubjectHeader) == "invoices.beta.1.paid" {
			t.Errorf("%s was answered %s %v", body, m.Data, m.Header)
		}
	}
}

// An order is stored, its answer reaches the shop whatever reply subject it names, and no stream.
func TestShopCanNotWriteIntoAnInvoiceByAReplySubject(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	probe := jetStream(t, f.probe(broker.StreamsAccount))
	before, err := probe.Stream(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	acme := f.connect("shop-acme")
	for _, reply := range []string{"invoices.other.1001.paid", "invoices.acme.1001.paid", "orders.acme.1002.canceled", "parked.invoicer.acme.1001"} {
		if err := acme.PublishRequest("orders.acme.1001.placed", reply, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	ack, err := jetStream(t, acme).Publish(t.Context(), "orders.acme.1003.placed", nil)
	if err != nil || ack.Stream != events.OrdersStream || ack.Sequence != 6 { // one was there, four with a reply subject, this one
		t.Fatalf("%+v, %v", ack, err)
	}
	after, err := probe.Stream(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	if b, a := before.CachedInfo().State.LastSeq, after.CachedInfo().State.LastSeq; a != b {
		t.Errorf("INVOICES went from %d to %d", b, a)
	}
	orders, err := probe.Stream(t.Context(), events.OrdersStream)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := orders.GetLastMsgForSubject(t.Context(), "orders.acme.1002.canceled"); !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("an answer became an order event: %v", err)
	}
}

func TestShopsLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	acme := f.connect("shop-acme")
	if _, err := jetStream(t, acme).Publish(t.Context(), "orders.acme.1.placed", make([]byte, 1<<20-200)); err != nil {
		t.Errorf("an order of nearly 1 MiB: %v", err)
	}
	if _, err := jetStream(t, acme).Publish(t.Context(), "orders.acme.2.placed", make([]byte, 1<<20+1)); err == nil {
		t.Error("an order of more than 1 MiB was taken")
	}
	var last error
	for range 32 {
		nc, err := f.try("shop-acme")
		if err != nil {
			last = err
			break
		}
		defer nc.Close()
	}
	if last == nil {
		t.Error("one shop may open 33 connections")
	}
	if nc, err := f.try("shop-beta"); err != nil {
		t.Errorf("another shop can't connect any more: %v", err)
	} else {
		nc.Close()
	}
}

// A shop that publishes more than its quota is told so, and keeps no other from publishing.
func TestShopPublishesNoMoreThanItsQuota(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	acme, beta := jetStream(t, f.connect("shop-acme")), jetStream(t, f.connect("shop-beta"))
	large := make([]byte, 1<<20-200)
	for i := range quotaMiB {
		if _, err := acme.Publish(t.Context(), fmt.Sprintf("orders.acme.%d.placed", i), large); err != nil {
			t.Fatalf("order %d: %v", i, err)
		}
	}
	_, err := acme.Publish(t.Context(), "orders.acme.more.placed", large)
	var refused *jetstream.APIError
	if !errors.As(err, &refused) || refused.Code != 429 || !strings.Contains(refused.Description, "quota of 4 MiB a day") {
		t.Errorf("an order beyond the quota: %v", err)
	}
	ack, err := beta.Publish(t.Context(), "orders.beta.1.placed", large)
	if err != nil || ack.Sequence != 1+quotaMiB+1 { // one was there
		t.Errorf("another shop's order: %+v, %v", ack, err)
	}
}

// Two messages under one id are two messages, at the same moment too; and what is no order event is stored as well, for a
// worker to park it with the reason.
func TestShopsMessageIDsDiscardNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	acme := jetStream(t, f.connect("shop-acme"))
	var futures []jetstream.PubAckFuture
	for _, event := range []string{"placed", "canceled", "plased"} {
		ack, err := acme.PublishAsync("orders.acme.1."+event, []byte("{}"), jetstream.WithMsgID("1"))
		if err != nil {
			t.Fatal(err)
		}
		futures = append(futures, ack)
	}
	for i, future := range futures {
		select {
		case ack := <-future.Ok():
			if ack.Duplicate || ack.Sequence != uint64(2+i) {
				t.Errorf("message %d: %+v", i, ack)
			}
		case err := <-future.Err():
			t.Errorf("message %d: %v", i, err)
		}
	}
}

// A copy of a worker that died while it asked for messages takes none with it.
func TestNextMessageGoesToALivingCopy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	consume := func(nc *nats.Conn) <-chan uint64 {
		c, err := jetStream(t, nc).Consumer(t.Context(), events.OrdersStream, "invoicer")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan uint64, 16)
		cc, err := c.Consume(func(m jetstream.Msg) {
			if meta, err := m.Metadata(); err == nil {
				got <- meta.NumDelivered
			}
			_ = m.Ack()
		}, jetstream.PullMaxMessages(16), jetstream.PullExpiry(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cc.Stop)
		return got
	}
	dead := f.connect("invoicer")
	<-consume(dead) // the message that is there; it goes on asking
	dead.Close()
	living := consume(f.connect("invoicer"))
	if _, err := jetStream(t, f.connect("shop-acme")).Publish(t.Context(), "orders.acme.1.placed", nil); err != nil {
		t.Fatal(err)
	}
	if n := <-living; n != 1 {
		t.Errorf("delivered %d times before it was taken", n)
	}
}

// Who connects without a key, or with one that is not in the configuration, gets nowhere.
func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pair := newPair()
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string][]nats.Option{
		"nobody": nil, "password": {nats.UserInfo("poller", "poller")}, "token": {nats.Token("x")}, "another key": {nats.Nkey(public, pair.Sign)},
	} {
		if nc, err := nats.Connect(f.server.ClientURL(), append(opts, nats.NoReconnect())...); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", name, err)
			nc.Close()
		}
	}
}

// A shop that is added comes in after a reload; connected clients stay.
func TestShopIsAddedWithoutARestart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	poller := f.connect("poller")
	if _, err := f.try("shop-gamma"); err == nil {
		t.Fatal("a shop without a key connects")
	}
	f.write("gamma") // alone: the others have their keys there
	for range 2 {    // the server makes the services of a new account at the next reload
		if err := f.server.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := jetStream(t, f.connect("shop-gamma")).Publish(t.Context(), "orders.gamma.1.placed", nil); err != nil {
		t.Error(err)
	}
	if _, err := jetStream(t, f.connect("shop-acme")).Publish(t.Context(), "orders.acme.1.placed", nil); err != nil {
		t.Error(err)
	}
	if _, err := jetStream(t, poller).Publish(t.Context(), "invoices.gamma.1.paid", nil); err != nil {
		t.Errorf("a poller that was connected before: %v", err)
	}
}
