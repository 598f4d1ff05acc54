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
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/exchanges"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Role is one kind of process that connects to the broker.
type Role struct {
	Name  string
	About string // which processes take its key

	app.Access
	Consumes   []bus.Consumer // takes and acknowledges their messages, and hears what the broker gave up on
	Watches    []bus.Consumer // only their state
	Provisions bool           // makes and changes streams and consumers

	durables []bus.Consumer // every one that there is
}

// Durables is every consumer of the workers, each followed by its replays, when shops' systems are joined as the file says. The
// names depend on no other setting.
func Durables(f connections.File) []bus.Consumer { return withReplays(app.ConsumersWith(f)) }

func withReplays(consumers []bus.Consumer) []bus.Consumer {
	var out []bus.Consumer
	for _, c := range consumers {
		out = append(out, c, c.Replays())
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
	return []string{events.OrdersStream, events.InvoicesStream, events.PeriodsStream, events.ParkedStream, events.HooksStream, events.DeliveriesStream, exchanges.Stream}
}

// roleOf is what a process of the app's table may do: what its row says, what every process needs, and for a worker also to
// take its consumers' messages, to record its events, to park what it can't handle, and to keep its exchanges with the provider.
func roleOf(t app.Target, f connections.File) Role {
	r := Role{Name: t.Name, About: "seqrflow run " + t.Name, Access: t.Access, Watches: watched()}
	r.Publishes = append(r.Publishes, events.ProbeSubject(t.Name))
	r.Subscribes = append(r.Subscribes, watching.Subjects)
	if len(t.Consumers) == 0 && t.Connected == nil {
		return r
	}
	r.Consumes = withReplays(t.ConsumersWith(f))
	for _, d := range r.Consumes {
		r.Reads = append(r.Reads, d.Stream)
	}
	r.Publishes = slices.Concat(r.Publishes, records(t.Name),
		[]string{bus.ServingSubject(t.Name), bus.ToldSubjectsOf(t.Name), "parked." + t.Name + ".*.*", "parked.foreign.*.*", "exchanges.*.*.*"})
	r.Subscribes = append(r.Subscribes, bus.ServingSubject(t.Name), bus.StuckSubjects)
	return r
}

// watched is the consumer whose state tells how many open invoices nobody polls.
func watched() []bus.Consumer {
	return slices.DeleteFunc(Durables(connections.File{}), func(d bus.Consumer) bool { return d.Name != "poller" })
}

// Roles is one role per kind of process: the processes of the app's table, and those of people, when shops' systems are joined as
// the file says. What a role does not name is refused.
func Roles(f connections.File) []Role {
	var out []Role
	durables := Durables(f)
	for _, t := range app.Processes() {
		out = append(out, roleOf(t, f))
	}
	reads := Role{
		Access: app.Access{
			Scans: history(), Reads: []string{events.OpenStream, events.ProbesStream, events.CursorsStream}, Subscribes: []string{watching.Subjects, bus.ToldSubjects},
		},
		Watches: slices.DeleteFunc(slices.Clone(durables), func(d bus.Consumer) bool { return strings.HasSuffix(d.Name, "-replay") }),
	}
	reader, operator := reads, reads
	reader.Name, reader.About = "reader", "watch, show, parked list, refunds list, doctor, and other programs that only look on"
	reader.Subscribes = append(slices.Clone(reads.Subscribes), events.InvoicesSubjects)
	reader.Publishes = []string{bus.StuckSubjects}
	operator.Name, operator.About = "operator", "the same, and ask, order place, cancel and return, parked replay and dismiss, refunds resolve, close"
	operator.Publishes = append(records("operator"), bus.StuckSubjects, bus.HintSubjects, events.ProbeSubject("operator"),
		"orders.*.*.placed", "orders.*.*.canceled", "orders.*.*.returned", "periods.*.*.closing", events.ParkedSubjects)
	out = append(out, reader, operator, Role{
		Name: "provisioner", About: "seqrflow broker apply; keep this key away from the workers", Provisions: true,
		Access: app.Access{Scans: []string{events.InvoicesStream}, Reads: []string{events.OpenStream}, Publishes: []string{events.OpenSubjects}}, // builds the index of open invoices
	})
	for i := range out {
		out[i].durables = durables
	}
	return out
}

// ShopRole is what the systems of a shop, named by its subject token, may do: publish its orders, which the gateway stores
// within the shop's quota, hear its invoices, and read the last event of one. The last works only where the stream answers directly, as it does on
// one replica.
func ShopRole(token string) Role {
	return Role{Name: shopPrefix + token, About: "the shop's own systems", Access: app.Access{
		Publishes:  []string{"orders." + token + ".>", directGet(events.InvoicesStream) + ".invoices." + token + ".>"},
		Subscribes: []string{"invoices." + token + ".>"},
	}}
}

const shopPrefix = "shop-"
