package broker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
)

// account as it stands in the configuration.
type account struct {
	Name    string
	Streams bool // it has JetStream
	Limits  string
	User    *user
	Exports []export
	Imports []export
}

type user struct {
	Key                      string
	Publish, Deny, Subscribe []string
	Answers                  bool // it may publish one answer to each request that it hears
	Unlimited                bool // the system's: no permissions
}

// export is a subject that an account lets others use; as an import, Account is where it comes from.
type export struct {
	Kind     string // service or stream
	Subject  string
	Many     bool
	Accounts []string
	Account  string
	To       string // the subject in the importing account, where it is another
}

// homeAccount is the account in which a subject is published for all. What is no stream's belongs to the process that hears it.
func homeAccount(subject string) string {
	worker, serving := strings.CutPrefix(subject, bus.ServingPrefix)
	switch {
	case serving:
		return strings.ToUpper(worker)
	case subject == bus.HintSubjects || subject == bus.IssuedSubjects || subject == watching.Subjects:
		return "POLLER"
	case strings.HasPrefix(subject, bus.IncomingPrefix):
		return "GATEWAY"
	}
	return StreamsAccount
}

// atHome is the subject by its name in the account where it is published for all; to is its name in the importing account,
// where that is another.
func (r Right) atHome(shop bool) (subject, to string) {
	switch {
	case r.Kind == Subscribe && strings.HasPrefix(r.Subject, "invoices."):
		return bus.StoredPrefix + r.Subject, r.Subject
	case shop && strings.HasPrefix(r.Subject, "orders."):
		return bus.IncomingPrefix + r.Subject, r.Subject
	}
	return r.Subject, ""
}

func (c Config) accounts(keys map[string]string) []*account {
	all := map[string]*account{StreamsAccount: {Name: StreamsAccount, Streams: true}}
	for _, r := range c.roles() {
		a := &account{Name: r.Account(), User: &user{Key: keys[r.Name], Deny: r.Denied(), Subscribe: []string{inbox}, Answers: r.Answers}}
		if strings.HasPrefix(r.Name, shopPrefix) {
			a.Limits = fmt.Sprintf("max_payload: %d, max_connections: %d, max_subscriptions: %d", shopPayload, shopConnections, shopSubscriptions)
		}
		for _, right := range r.Rights() {
			if right.Kind == Publish {
				a.User.Publish = append(a.User.Publish, right.Subject)
			} else {
				a.User.Subscribe = append(a.User.Subscribe, right.Subject)
			}
		}
		all[a.Name] = a
	}
	for _, r := range c.roles() {
		for _, right := range r.Rights() {
			if bus.AboutStuck(right.Subject) {
				c.importTold(all, r, right)
				continue
			}
			kind := "service"
			if right.Kind == Subscribe {
				kind = "stream"
			}
			var to string
			right.Subject, to = right.atHome(strings.HasPrefix(r.Name, shopPrefix))
			from := homeAccount(right.Subject)
			if from == r.Account() {
				continue
			}
			all[r.Account()].Imports = append(all[r.Account()].Imports, export{Kind: kind, Subject: right.Subject, Account: from, To: to})
			all[from].export(kind, right, r.Account())
		}
	}
	sorted := slices.SortedFunc(maps.Values(all), func(a, b *account) int { return cmp.Compare(a.Name, b.Name) })
	for _, a := range sorted {
		slices.SortFunc(a.Exports, func(x, y export) int { return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Subject, y.Subject)) })
	}
	return append(sorted, &account{Name: "SYS", User: &user{Key: keys[systemUser], Unlimited: true}})
}

// importTold lets a role hear what each of several others says in its own account. It is no service, because what goes into an
// account as a service leaves it again as no stream.
func (c Config) importTold(all map[string]*account, r Role, right Right) {
	if right.Kind != Subscribe {
		return // it says it at home
	}
	for _, from := range c.roles() {
		for _, said := range from.Rights() {
			if said.Kind == Publish && bus.Covers(right.Subject, said.Subject) {
				all[r.Account()].Imports = append(all[r.Account()].Imports, export{Kind: "stream", Subject: said.Subject, Account: from.Account()})
				all[from.Account()].export("stream", said, r.Account())
			}
		}
	}
}

// inbox is where replies arrive. The account keeps those of others out, so all may have the usual prefix.
const inbox = "_INBOX.>"

// export lets one more account use the subject. Each import has an export of exactly its subject: the server
// would take any that contains it.
func (a *account) export(kind string, r Right, to string) {
	for i, e := range a.Exports {
		if e.Kind == kind && e.Subject == r.Subject {
			a.Exports[i].Accounts = append(a.Exports[i].Accounts, to)
			return
		}
	}
	a.Exports = append(a.Exports, export{Kind: kind, Subject: r.Subject, Many: r.Many, Accounts: []string{to}})
}
