// Package broker says which process may do what at the NATS server, and writes the server's
// configuration from that: accounts, users with their keys, and permissions.
//
// Each process has an account of its own, and the streams are in an account that has no user. A process
// reaches the streams only through the services that its account imports. JetStream sends its answer to whatever
// reply subject a request names, without a check; an answer that leaves through a service arrives in the account
// that asked, where there is no stream that it could be stored in. Inside one account it would be stored.
package broker

import (
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/exchanges"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Role is one kind of process that connects to the broker.
type Role struct {
	Name  string
	About string // which processes take its key

	Publishes  []string  // subjects
	Subscribes []string  // subjects outside of JetStream
	Consumes   []Durable // takes and acknowledges their messages, and hears what the broker gave up on
	Reads      []string  // streams: their state, messages by sequence, last message by subject
	Watches    []Durable // only their state
	Scans      []string  // streams: Reads, and consumers of its own
	Answers    bool      // the requests that it hears
	Provisions bool      // makes and changes streams and consumers
}

// Durable is a consumer that the broker keeps.
type Durable struct {
	Worker  string
	Name    string
	Stream  string
	Filters []string
}

// replay is the consumer of what a person has sent back from PARKED to this one.
func (d Durable) replay() Durable {
	return Durable{Worker: d.Worker, Name: d.Name + "-replay", Stream: events.ParkedStream, Filters: []string{"parked." + d.Worker + ".*.*"}}
}

// Durables is every consumer of the workers, each followed by its replays. The names never depend on settings.
func Durables() []Durable {
	var out []Durable
	for _, c := range app.Consumers() {
		d := Durable{Worker: c.Worker, Name: c.Name, Stream: c.Stream, Filters: c.Filters}
		out = append(out, d, d.replay())
	}
	return out
}

func durablesOf(worker string) []Durable {
	return slices.DeleteFunc(Durables(), func(d Durable) bool { return d.Worker != worker })
}

// appends are the invoice events that a worker records, as subjects; also names those for which the table of
// transitions names another worker.
func appends(worker string, also ...events.Name) []string {
	var out []string
	add := func(e events.Name) {
		if s := "invoices.*.*." + string(e); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, t := range events.Transitions() {
		if slices.Contains(t.By, events.Actor(worker)) {
			add(t.On)
		}
	}
	for _, e := range also {
		add(e)
	}
	return out
}

// history is every stream that keeps what happened. OPEN is none: as a work queue it has one consumer.
func history() []string {
	return []string{events.OrdersStream, events.InvoicesStream, events.PeriodsStream, events.ParkedStream, exchanges.Stream}
}

// worker is what every worker has in common: it takes its consumers' messages, parks what it can't handle,
// keeps its exchanges with the provider, and shows in its metrics whether every open invoice is watched.
func worker(name, about string, publishes, reads []string) Role {
	consumes := durablesOf(name)
	for _, d := range consumes {
		if !slices.Contains(reads, d.Stream) {
			reads = append(reads, d.Stream)
		}
	}
	return Role{
		Name: name, About: about, Consumes: consumes, Reads: reads, Watches: watched(),
		Subscribes: []string{watching.Subjects, bus.ServingSubject(name), bus.StuckSubjects},
		Publishes: append(publishes, bus.ServingSubject(name), bus.ToldSubjectsOf(name), events.ProbeSubject(name), "parked."+name+".*.*",
			"parked.foreign.*.*", "exchanges.*.*.*"),
	}
}

// watched is the consumer whose state tells how many open invoices nobody polls.
func watched() []Durable {
	return slices.DeleteFunc(Durables(), func(d Durable) bool { return d.Name != "poller" })
}

// Roles is the table: one row per kind of process. What a row does not name is refused.
func Roles() []Role {
	invoices := []string{events.InvoicesStream}
	invoicesAndOrders := []string{events.InvoicesStream, events.OrdersStream}
	settles := []events.Name{events.EventRefunded, events.EventRefundFailed}
	all := slices.DeleteFunc(Durables(), func(d Durable) bool { return strings.HasSuffix(d.Name, "-replay") })

	reconciler := worker("reconciler", "seqrflow run reconciler",
		append(appends("reconciler", settles...), events.PeriodsSubjects), invoicesAndOrders)
	reconciler.Scans = []string{events.InvoicesStream, events.PeriodsStream}

	return []Role{
		worker("invoicer", "seqrflow run invoicer", append(appends("invoicer"), events.OpenSubjects, bus.IssuedSubjects), []string{events.InvoicesStream, events.OpenStream}),
		withHints(worker("poller", "seqrflow run poller", append(appends("poller"), watching.Subjects), invoices)),
		worker("receipter", "seqrflow run receipter", appends("receipter"), invoices),
		worker("canceler", "seqrflow run canceler", appends("canceler"), invoicesAndOrders),
		worker("refunder", "seqrflow run refunder", appends("refunder"), invoicesAndOrders),
		reconciler,
		{
			Name: "gateway", About: "seqrflow run gateway",
			Publishes: []string{bus.HintSubjects, events.OrdersSubjects, events.ProbeSubject("gateway")}, Subscribes: []string{watching.Subjects, bus.IncomingSubjects}, Watches: watched(),
			Answers: true,
		},
		{
			Name: "reader", About: "watch, show, parked list, refunds list, doctor, and other programs that only look on",
			Scans: history(), Reads: []string{events.OpenStream, events.ProbesStream}, Watches: all,
			Subscribes: []string{watching.Subjects, bus.ToldSubjects, events.InvoicesSubjects}, Publishes: []string{bus.StuckSubjects},
		},
		{
			Name: "operator", About: "the same, and order place, cancel and return, parked replay and dismiss, refunds resolve, close",
			Scans: history(), Reads: []string{events.OpenStream, events.ProbesStream}, Watches: all, Subscribes: []string{watching.Subjects, bus.ToldSubjects},
			Publishes: append(appends("operator", settles...), bus.StuckSubjects, events.ProbeSubject("operator"), "orders.*.*.placed", "orders.*.*.canceled", "orders.*.*.returned",
				"periods.*.*.closing", events.ParkedSubjects),
		},
		{
			Name: "provisioner", About: "seqrflow broker apply; keep this key away from the workers", Provisions: true,
			Scans: invoices, Reads: []string{events.OpenStream}, Publishes: []string{events.OpenSubjects}, // builds the index of open invoices
		},
	}
}

// withHints lets the poller hear the hints.
func withHints(r Role) Role {
	r.Subscribes = append(r.Subscribes, bus.HintSubjects, bus.IssuedSubjects)
	return r
}

// ShopRole is what the systems of a shop, named by its subject token, may do: publish its orders, which the gateway stores
// within the shop's quota, hear its invoices, and read the last event of one. The last works only where the stream answers directly, as it does on
// one replica.
func ShopRole(token string) Role {
	return Role{
		Name: shopPrefix + token, About: "the shop's own systems",
		Publishes:  []string{"orders." + token + ".>", directGet(events.InvoicesStream) + ".invoices." + token + ".>"},
		Subscribes: []string{"invoices." + token + ".>"},
	}
}

const shopPrefix = "shop-"
