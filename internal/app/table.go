package app

import (
	"context"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/gateway"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/notifier"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/reconciler"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// Target is a component that a command can ask for by name: the columns of its row that other packages use.
type Target struct {
	Name  string
	About string // one line for people; "" for a component that only others need

	// Consumers are the durables that a worker takes its messages from; a component without any, and without Connected, is no worker. A worker is
	// drained before the other components of the process end.
	Consumers []bus.Consumer
	// Connected gives the durables of a worker that has one for each destination of the shops' connections.
	Connected func(connections.File) []bus.Consumer
	// Process says that the component may run in a process of its own, against a broker and a provider of one's own:
	// "seqrflow run" offers it, and it has a user at the broker.
	Process bool
	// Credentials says that it calls the provider with the shops' credentials.
	Credentials bool
	// Access is what its user may do at the broker besides what every process and every worker may.
	Access Access
}

// Access is what a process may do at the broker beyond its consumers, the events that the table of states lets it record, and
// what every process needs.
type Access struct {
	Publishes  []string // subjects
	Subscribes []string // subjects outside of JetStream
	Reads      []string // streams: their state, messages by sequence, last message by subject; those of its consumers need not be named
	Scans      []string // streams: Reads, and consumers of its own
	Answers    bool     // the requests that it hears
}

// component is one row of the table. start returns when the component is ready, with the function that ends it.
type component struct {
	Target
	needs []string
	start func(context.Context, *Stack) (end func() error, err error)
}

// isWorker says whether the component consumes messages.
func (c component) isWorker() bool { return len(c.Consumers) > 0 || c.Connected != nil }

// table is every component in the order in which they start. To add a worker is to add a row here, its service to
// deploy/compose.yaml and its name to the map of README.md: the broker's permissions, the commands and the tests follow.
func table() []component {
	invoices := events.InvoicesStream
	return []component{
		{Target{Name: "natsd", About: "the embedded NATS server"}, nil, startNATS},
		{Target{Name: "sandbox", About: "the provider's stand-in"}, nil, startSandbox},
		{Target{Name: "bus"}, nil, startBus},
		{Target{Name: "provider"}, []string{"bus"}, startProvider},
		{Target{Name: "http", About: "health and metrics"}, []string{"bus"}, startHTTP},
		{Target{Name: gateway.Name, About: "takes what shops' systems send, the provider's notifications, and orders from shops' own accounts at the broker", Process: true, Consumers: gateway.Consumers(),
			Access: Access{
				Publishes:  []string{bus.HintSubjects, events.OrdersSubjects, events.HooksSubjects, events.CursorsSubjects},
				Subscribes: []string{bus.IncomingSubjects}, Answers: true,
				Reads: []string{events.OrdersStream, events.ParkedStream, events.CursorsStream}, Scans: []string{invoices},
			},
		}, []string{"bus"}, startGateway},

		worker(Target{Name: invoicer.Name, About: "turns placed orders into invoices", Credentials: true, Consumers: invoicer.Consumers(),
			Access: Access{Publishes: []string{events.OpenSubjects, bus.IssuedSubjects}, Reads: []string{invoices, events.OpenStream}},
		}, newInvoicer),
		worker(Target{Name: poller.Name, About: "watches open invoices until they are paid or over", Credentials: true, Consumers: poller.Consumers(),
			Access: Access{Publishes: []string{watching.Subjects}, Subscribes: []string{bus.HintSubjects, bus.IssuedSubjects}, Reads: []string{invoices}},
		}, newPoller),
		worker(Target{Name: receipter.Name, About: "sends receipts", Credentials: true, Consumers: receipter.Consumers()}, newReceipter),
		worker(Target{Name: canceler.Name, About: "cancels, and ends what is overdue", Credentials: true, Consumers: canceler.Consumers()}, newCanceler),
		worker(Target{Name: refunder.Name, About: "pays back", Credentials: true, Consumers: refunder.Consumers()}, newRefunder),
		worker(Target{Name: reconciler.Name, About: "closes periods and compares ledgers", Credentials: true, Consumers: reconciler.Consumers(),
			Access: Access{
				Publishes: []string{events.PeriodsSubjects}, Reads: []string{events.OrdersStream}, Scans: []string{invoices, events.PeriodsStream},
			},
		}, newReconciler),
		worker(Target{Name: notifier.Name, About: "tells shops' own systems what happened to their invoices", Connected: notifier.Consumers,
			Access: Access{Publishes: []string{events.DeliveriesSubjects}, Reads: []string{invoices, events.OrdersStream, events.ParkedStream, events.DeliveriesStream}},
		}, newNotifier),
	}
}

// worker makes the row of a worker. It needs the provider's client only if it calls the provider.
func worker(t Target, create func(*Stack) (runner, error)) component {
	t.Process = true
	c := component{t, []string{"bus"}, run(create)}
	if t.Credentials {
		c.needs = append(c.needs, "provider")
	}
	return c
}

func newInvoicer(s *Stack) (runner, error) {
	notify := s.opts.NotifyURL
	if notify == "" && s.Sandbox != nil {
		notify = s.URLs.Gateway
	}
	return invoicer.New(invoicer.Config{
		Bus: s.Bus, Provider: s.Client, Shops: s.opts.ShopList, Only: s.opts.Shops, ValidFor: s.opts.ValidFor,
		NotifyURL: notify, DebugLink: s.opts.ProviderTest || s.Sandbox != nil, Log: s.log,
	}), nil
}

func newPoller(s *Stack) (runner, error) {
	return poller.New(poller.Config{
		Bus: s.Bus, Provider: s.Client, Shops: s.opts.ShopList, Only: s.opts.Shops, Interval: s.opts.PollInterval, Concurrency: s.opts.PollConcurrency, Metrics: s.Registry, Log: s.log,
	}), nil
}

func newReceipter(s *Stack) (runner, error) {
	cfg := receipter.Config{Bus: s.Bus, Provider: s.Client, Shops: s.opts.ShopList, Only: s.opts.Shops}
	if s.opts.ReceiptTemplate != "" {
		t, err := receipter.LoadTemplate(s.opts.ReceiptTemplate)
		if err != nil {
			return nil, err
		}
		cfg.Template = t
	}
	return receipter.New(cfg), nil
}

func newCanceler(s *Stack) (runner, error) {
	return canceler.New(canceler.Config{Bus: s.Bus, Provider: s.Client, Shops: s.opts.ShopList, Only: s.opts.Shops}), nil
}

func newRefunder(s *Stack) (runner, error) {
	return refunder.New(refunder.Config{
		Bus: s.Bus, Provider: s.Client, Shops: s.opts.ShopList, Only: s.opts.Shops, KeepSecond: s.opts.KeepSecond, Metrics: s.Registry, Log: s.log,
	}), nil
}

func newNotifier(s *Stack) (runner, error) {
	destinations, err := notifier.Destinations(s.opts.Connections)
	if err != nil {
		return nil, err
	}
	return notifier.New(notifier.Config{Bus: s.Bus, Destinations: destinations, Metrics: s.Registry, Log: s.log}), nil
}

func newReconciler(s *Stack) (runner, error) {
	return reconciler.New(reconciler.Config{Bus: s.Bus, Provider: s.Client, Shops: s.opts.ShopList, Only: s.opts.Shops, Metrics: s.Registry, Log: s.log}), nil
}
