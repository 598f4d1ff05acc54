package canary

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

// fixture is what one test runs, with secrets in its settings.
type fixture struct {
	*testing.T
	programs   procs.Programs
	shops      string
	provider   *procs.Provider
	sandboxLog *procs.Output
	bus        *bus.Bus
	js         jetstream.JetStream
	search     search
}

func newFixture(t *testing.T, programs procs.Programs) *fixture {
	s := &fixture{T: t, programs: programs, sandboxLog: procs.NewOutput(), search: search{t: t}}
	s.shops = shopsFile(t, refusedShop)
	s.provider = procs.NewProvider(t, sandbox.Config{
		Terminals: []sandbox.Terminal{{ID: "terminal-1", Password: terminalPassword, Name: "Acme", Reseller: "reseller-1"}},
		Resellers: []sandbox.Reseller{{ID: "reseller-1", UserID: "9900", Password: resellerPassword}},
		Log:       zerolog.New(s.sandboxLog).Level(zerolog.TraceLevel),
	})
	return s
}

// refusedShop has a wrong password for the terminal of acme.
const refusedShop = "  refused: {terminal: terminal-1, password: " + refusedPassword + "}\n"

// shopsFile has the shop acme, and more.
func shopsFile(t *testing.T, more string) string {
	t.Helper()
	file := procs.WriteFile(t, "terminal-password", terminalPassword+"\n")
	return procs.WriteFile(t, "shops.yaml", fmt.Sprintf(`shops:
  acme: {terminal: terminal-1, password_file: %q, reseller: reseller-1, reseller_user: "9900", reseller_password: %q}
%s`, file, resellerPassword, more))
}

// faults of every kind, few enough that every order still ends well.
func faults() map[string][]sandbox.Fault {
	http500, dropped := sandbox.Fault{Kind: sandbox.FaultHTTP500, Count: 1}, sandbox.Fault{Kind: sandbox.FaultDropBefore, Count: 1}
	fault, busy := sandbox.Fault{Kind: sandbox.FaultSOAP, Count: 1}, sandbox.Fault{Kind: sandbox.FaultResultCode, Code: 93, Count: 1}
	lost := sandbox.Fault{Kind: sandbox.FaultDropAfter, Count: 1}
	return map[string][]sandbox.Fault{
		"sendInvoice": {http500, dropped, fault}, "getPaymentStatus": {http500, dropped, fault, busy}, "submitPaymentReceipt": {fault, lost},
		"cancelInvoice": {http500, lost}, "refundPayment": {dropped},
	}
}

// TestNoSecretIsEverShown searches what the programs leave behind: in use, with mistaken settings, and as
// one process with its folder.
func TestNoSecretIsEverShown(t *testing.T) {
	if testing.Short() {
		t.Skip("in the short form: it runs processes of its own, which the race detector does not see")
	}
	programs := procs.Build(t)
	t.Run("in use", func(t *testing.T) { use(t, programs) })
	t.Run("mistakes", func(t *testing.T) { mistakes(t, programs) })
	t.Run("up", func(t *testing.T) { up(t, programs) })
}

// use runs every worker through faults and a broker's death with secrets in all settings, uses every
// command, and searches all of it.
func use(t *testing.T, programs procs.Programs) {
	s := newFixture(t, programs)
	if err := s.provider.SetFaults(faults()); err != nil {
		t.Fatal(err)
	}
	broker := procs.NewBroker(t, s.programs, fmt.Sprintf("authorization { token: %q }\n", brokerToken))
	nats := "nats://" + brokerToken + "@" + broker.Addr
	s.bus, s.js = procs.Connect(t, nats, 1), rig.JetStream(t, nats)
	workers := procs.Workers{T: t, Programs: s.programs, NATS: nats, Provider: s.provider.Endpoint(), Shops: s.shops, Env: []string{"SEQRFLOW_LOG_LEVEL=debug"}}
	worker := workers.Run("all")

	seen := s.playOrders(func() { broker.Kill(); broker.Start() })
	s.search.in("the broker's log", broker.Out.Text())
	env := []string{"SEQRFLOW_NATS=" + nats, "SEQRFLOW_PROVIDER=" + s.provider.Endpoint(), "SEQRFLOW_SHOPS_FILE=" + s.shops}
	s.commands(env)

	for _, page := range []string{"/metrics", "/readyz", "/healthz"} {
		s.page("the worker's "+page, worker.HTTP+page)
	}
	for _, page := range []string{"/", "/R" + seen.InvoiceReference, "/wallet/" + seen.InvoiceReference, "/ledger", "/faults", "/clock"} {
		s.page("the sandbox's "+page, s.provider.Base+page)
	}
	s.streams()
	if err := worker.Stop(); err != nil {
		t.Errorf("the workers ended with %v", err)
	}
	said := worker.Out.Text()
	for _, want := range []string{`"level":"debug"`, `"level":"warn"`, "broker connection restored", "AUTHENTICATION_FAILED"} {
		if !strings.Contains(said, want) {
			t.Errorf("the workers' log has no %s: the search would prove little", want)
		}
	}
	s.search.in("the workers' log", said)
	s.search.in("the sandbox's log", s.sandboxLog.Text())
	s.search.report()
}

// playOrders has orders end in every way, with a disturbance in between, and gives one of the invoices.
func (s *fixture) playOrders(disturb func()) events.Invoice {
	s.Helper()
	r := &rig.Rig{T: s.T, Bus: s.bus}
	for _, id := range []string{"paid", "returned", "canceled"} {
		s.place(rig.Shop, id)
	}
	s.place("refused", "1")
	s.place("nobody", "1")
	r.Raw("orders.acme.bad.placed", []byte(`{"orderId":"bad","shop":"acme","total":1,"password":"`+payloadSecret+`"}`))
	r.Wait("canceled", events.EventIssued)
	r.Wait("returned", events.EventIssued)
	paid := r.Wait("paid", events.EventIssued)
	disturb()
	r.Cancel("canceled")
	for _, id := range []string{"paid", "returned"} {
		if err := s.provider.Pay(r.Wait(id, events.EventIssued).InvoiceReference); err != nil {
			s.Error(err)
		}
	}
	r.Return("returned", "r1", "")
	r.Wait("canceled", events.EventCanceled)
	r.Wait("paid", events.EventReceipted)
	r.Wait("returned", events.EventReceipted)
	r.Wait("returned", events.EventRefunded)
	r.WaitParked("invoicer", "bad")
	r.First("parked.invoicer.refused.1")
	r.First("parked.invoicer.nobody.1")
	return paid
}

// place places an order with a secret in fields that are no part of an order.
func (s *fixture) place(shop, id string) {
	s.Helper()
	o := rig.Order(id, "10")
	o.Shop = shop
	body, err := json.Marshal(o)
	if err != nil {
		s.Fatal(err)
	}
	hidden := fmt.Sprintf(`{"password":%[1]q,"token":%[1]q,`, payloadSecret)
	text := hidden + strings.Replace(string(body[1:]), `"rows":[{`, `"rows":[`+hidden, 1)
	if err := s.bus.PublishRaw(s.Context(), "orders."+shop+"."+id+".placed", "", []byte(text)); err != nil {
		s.Fatal(err)
	}
}

func (s *fixture) page(where, url string) {
	s.Helper()
	text, err := procs.Get(s.Context(), url)
	if err != nil {
		s.Errorf("%s: %v", where, err)
	}
	s.search.in(where, text)
}

// streams searches every message, its headers, and how the broker describes streams and consumers.
func (s *fixture) streams() {
	s.Helper()
	own := map[string][]string{events.OrdersStream: {payloadSecret}, events.ParkedStream: {payloadSecret}}
	count := map[string]int{}
	for _, stream := range []string{events.OrdersStream, events.InvoicesStream, events.PeriodsStream, events.ParkedStream} {
		if _, err := s.bus.Scan(s.Context(), bus.Scan{Stream: stream}, func(m bus.Entry) error {
			count[stream]++
			s.search.in(fmt.Sprintf("%s %d", stream, m.Seq), fmt.Sprintf("%s %v %s", m.Subject, m.Header, m.Body), own[stream]...)
			if stream == events.ParkedStream {
				p, _, err := events.DecodeParked(m.Body)
				s.search.in("the reason of "+m.Subject, p.Reason+p.Subject+p.Consumer)
				return err
			}
			return nil
		}); err != nil {
			s.Error(err)
		}
		list, err := s.js.Stream(s.Context(), stream)
		if err != nil {
			s.Fatal(err)
		}
		s.search.in("the description of "+stream, fmt.Sprintf("%+v", list.CachedInfo()))
		for c := range list.ListConsumers(s.Context()).Info() {
			s.search.in("the description of "+c.Name, fmt.Sprintf("%+v", c))
		}
	}
	for _, stream := range []string{events.OrdersStream, events.InvoicesStream, events.PeriodsStream, events.ParkedStream} {
		if count[stream] == 0 {
			s.Errorf("%s has no messages to search; there are %v", stream, maps.Collect(maps.All(count)))
		}
	}
}

// issued waits for the order's invoice and gives its reference.
func (s *fixture) issued(id string) string {
	s.Helper()
	r := &rig.Rig{T: s.T, Bus: s.bus}
	return r.Wait(id, events.EventIssued).InvoiceReference
}
