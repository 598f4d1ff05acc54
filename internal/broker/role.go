// Package broker says which process may do what at the NATS server, and writes the server's
// configuration from that: accounts, users with their keys, and permissions.
//
// Each process has an account of its own, and the streams are in an account that has no user. A process
// reaches the streams only through the services that its account imports. JetStream sends its answer to whatever
// reply subject a request names, without a check; an answer that leaves through a service arrives in the account
// that asked, where there is no stream that it could be stored in. Inside one account it would be stored.
//
//	role.go      which role each process and each person has; right.go the subjects that follow from a role
//	accounts.go  the accounts, with what each exports and imports
//	config.go    the server's configuration as text; write.go, keys.go, tls.go and handout.go the files around it
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
func Durables() []Durable { return durablesOf(app.Consumers()) }

func durablesOf(consumers []bus.Consumer) []Durable {
	var out []Durable
	for _, c := range consumers {
		d := Durable{Worker: c.Worker, Name: c.Name, Stream: c.Stream, Filters: c.Filters}
		out = append(out, d, d.replay())
	}
	return out
}

// records are the subjects of the invoice events that an actor records by the table of states.
func records(actor string) []string {
	var out []string
	for _, t := range events.Transitions() {
		if s := "invoices.*.*." + string(t.On); slices.Contains(t.By, events.Actor(actor)) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// history is every stream that keeps what happened. OPEN is none: as a work queue it has one consumer.
func history() []string {
	return []string{events.OrdersStream, events.InvoicesStream, events.PeriodsStream, events.ParkedStream, exchanges.Stream}
}

// roleOf is what a process of the app's table may do: what its row says, what every process needs, and for a worker also to
// take its consumers' messages, to record its events, to park what it can't handle, and to keep its exchanges with the provider.
func roleOf(t app.Target) Role {
	r := Role{
		Name: t.Name, About: "seqrflow run " + t.Name, Reads: t.Access.Reads, Scans: t.Access.Scans, Watches: watched(), Answers: t.Access.Answers,
		Publishes:  append(slices.Clone(t.Access.Publishes), events.ProbeSubject(t.Name)),
		Subscribes: append(slices.Clone(t.Access.Subscribes), watching.Subjects),
	}
	if len(t.Consumers) == 0 {
		return r
	}
	r.Consumes = durablesOf(t.Consumers)
	for _, d := range r.Consumes {
		r.Reads = append(r.Reads, d.Stream)
	}
	r.Publishes = slices.Concat(r.Publishes, records(t.Name),
		[]string{bus.ServingSubject(t.Name), bus.ToldSubjectsOf(t.Name), "parked." + t.Name + ".*.*", "parked.foreign.*.*", "exchanges.*.*.*"})
	r.Subscribes = append(r.Subscribes, bus.ServingSubject(t.Name), bus.StuckSubjects)
	return r
}

// watched is the consumer whose state tells how many open invoices nobody polls.
func watched() []Durable {
	return slices.DeleteFunc(Durables(), func(d Durable) bool { return d.Name != "poller" })
}

// Roles is one role per kind of process: the processes of the app's table, and those of people. What a role does not name is
// refused.
func Roles() []Role {
	var out []Role
	for _, t := range app.Processes() {
		out = append(out, roleOf(t))
	}
	reads := Role{
		Scans: history(), Reads: []string{events.OpenStream, events.ProbesStream}, Subscribes: []string{watching.Subjects, bus.ToldSubjects},
		Watches: slices.DeleteFunc(Durables(), func(d Durable) bool { return strings.HasSuffix(d.Name, "-replay") }),
	}
	reader, operator := reads, reads
	reader.Name, reader.About = "reader", "watch, show, parked list, refunds list, doctor, and other programs that only look on"
	reader.Subscribes = append(slices.Clone(reads.Subscribes), events.InvoicesSubjects)
	reader.Publishes = []string{bus.StuckSubjects}
	operator.Name, operator.About = "operator", "the same, and order place, cancel and return, parked replay and dismiss, refunds resolve, close"
	operator.Publishes = append(records("operator"), bus.StuckSubjects, events.ProbeSubject("operator"),
		"orders.*.*.placed", "orders.*.*.canceled", "orders.*.*.returned", "periods.*.*.closing", events.ParkedSubjects)
	return append(out, reader, operator, Role{
		Name: "provisioner", About: "seqrflow broker apply; keep this key away from the workers", Provisions: true,
		Scans: []string{events.InvoicesStream}, Reads: []string{events.OpenStream}, Publishes: []string{events.OpenSubjects}, // builds the index of open invoices
	})
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
