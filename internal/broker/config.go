package broker

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/nats-io/nkeys"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Config of the server that is written.
type Config struct {
	ServerName string   // default seqrflow
	Listen     string   // host:port for clients
	Monitor    string   // host:port of the server's health and figures over HTTP; "" leaves it off
	StoreDir   string   // folder of the streams
	Shops      []string // subject tokens of the shops that connect to the broker themselves
	TLSCert    string   // the server's certificate, as the server finds it; "" is a broker without TLS
	TLSKey     string
	TLSCA      string // clients must show a certificate that this one has signed; "" lets them come without
}

// MaxPayload lets an over-long order reach the stream, so that it is parked with a reason.
const MaxPayload = "4MB"

// What one shop's account may do at most. The server has no limit on how much an account publishes.
const (
	shopPayload       = 1 << 20
	shopConnections   = 16
	shopSubscriptions = 1000
)

// Validate reports everything that is wrong, by the names of the command's flags.
func (c Config) Validate() error {
	var errs []error
	for _, a := range []struct{ flag, value string }{{"listen", c.Listen}, {"monitor", c.Monitor}} {
		if a.flag == "monitor" && a.value == "" {
			continue
		}
		_, port, err := net.SplitHostPort(a.value)
		if n, nerr := strconv.Atoi(port); err != nil || nerr != nil || n < -1 || n > 65535 {
			errs = append(errs, fmt.Errorf("--%s: expected host:port, got %q", a.flag, a.value))
		}
	}
	if c.StoreDir == "" {
		errs = append(errs, errors.New("--store-dir: missing"))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key go together"))
	}
	if c.TLSCA != "" && c.TLSCert == "" {
		errs = append(errs, errors.New("--tls-ca: clients show certificates only where the server does: give --tls-cert and --tls-key too"))
	}
	for _, s := range c.Shops {
		if !events.IsToken(s) {
			errs = append(errs, fmt.Errorf("--shop: %q is no subject token", s))
		}
	}
	return errors.Join(errs...)
}

// roles of the configuration: the table's, and one for each shop.
func (c Config) roles() []Role {
	out := Roles()
	shops := slices.Clone(c.Shops)
	slices.Sort(shops)
	for _, s := range slices.Compact(shops) {
		out = append(out, ShopRole(s))
	}
	return out
}

// systemUser may see the server's own figures and events; it reaches no stream.
const systemUser = "system"

// Users that the configuration has, each with a key of its own.
func (c Config) Users() []string {
	var out []string
	for _, r := range c.roles() {
		out = append(out, r.Name)
	}
	return append(out, systemUser)
}

// StreamsAccount holds the streams. It has no user.
const StreamsAccount = "SEQRFLOW"

// Account of the role.
func (r Role) Account() string {
	if shop, ok := strings.CutPrefix(r.Name, shopPrefix); ok {
		return "SHOP_" + shop
	}
	return strings.ToUpper(r.Name)
}

// home is the account in which a subject is published for all: core subjects are the pollers' own.
func home(subject string) string {
	switch {
	case subject == hintSubjects || subject == watchingSubjects:
		return "POLLER"
	case strings.HasPrefix(subject, bus.IncomingPrefix):
		return "GATEWAY"
	}
	return StreamsAccount
}

// there is the subject by its name in the account where it is published for all; to is its name in the importing account,
// where that is another.
func (r Right) there(shop bool) (subject, to string) {
	switch {
	case r.Kind == Subscribe && strings.HasPrefix(r.Subject, "invoices."):
		return bus.StoredPrefix + r.Subject, r.Subject
	case shop && strings.HasPrefix(r.Subject, "orders."):
		return bus.IncomingPrefix + r.Subject, r.Subject
	}
	return r.Subject, ""
}

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

func (c Config) accounts(keys map[string]string) []account {
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
				c.hear(all, r, right)
				continue
			}
			kind, to := "service", ""
			if right.Kind == Subscribe {
				kind = "stream"
			}
			right.Subject, to = right.there(strings.HasPrefix(r.Name, shopPrefix))
			from := home(right.Subject)
			if from == r.Account() {
				continue
			}
			all[r.Account()].Imports = append(all[r.Account()].Imports, export{Kind: kind, Subject: right.Subject, Account: from, To: to})
			all[from].export(kind, right, r.Account())
		}
	}
	sorted := slices.SortedFunc(maps.Values(all), func(a, b *account) int { return cmp.Compare(a.Name, b.Name) })
	out := make([]account, 0, len(sorted)+1)
	for _, a := range sorted {
		slices.SortFunc(a.Exports, func(x, y export) int { return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Subject, y.Subject)) })
		out = append(out, *a)
	}
	return append(out, account{Name: "SYS", User: &user{Key: keys[systemUser], Unlimited: true}})
}

// hear lets a role hear what each of several others says in its own account. It is no service, because what goes into an
// account as a service leaves it again as no stream.
func (c Config) hear(all map[string]*account, r Role, right Right) {
	if right.Kind != Subscribe {
		return // it says it at home
	}
	for _, from := range c.roles() {
		for _, said := range from.Rights() {
			if said.Kind == Publish && Covers(right.Subject, said.Subject) {
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

// firstLine tells a file that this command has written, and may write again, from one that it has not.
const firstLine = "# Written by \"seqrflow broker config\", which writes it again: changes by hand are lost."

// Text is the server's configuration; keys are the public keys of the users.
func (c Config) Text(keys map[string]string) (string, error) {
	if err := c.Validate(); err != nil {
		return "", err
	}
	for _, u := range c.Users() {
		if !nkeys.IsValidPublicUserKey(keys[u]) {
			return "", fmt.Errorf("%s: no public key", u)
		}
	}
	if c.ServerName == "" {
		c.ServerName = "seqrflow"
	}
	var b strings.Builder
	err := text.Execute(&b, struct {
		Config
		FirstLine, MaxPayload string
		Accounts              []account
	}{c, firstLine, MaxPayload, c.accounts(keys)})
	return b.String(), err
}

var text = template.Must(template.New("nats.conf").Funcs(template.FuncMap{"q": strconv.Quote, "list": list}).Parse(`{{.FirstLine}}
# The account SEQRFLOW has the streams and no user; every other has one user. What a user may do is its permissions; what its account imports is the same once
# more, so that an answer of the broker goes no further than a request.

server_name: {{q .ServerName}}
listen: {{q .Listen}}
{{- with .Monitor}}
http: {{q .}}{{end}}
max_payload: {{.MaxPayload}}

# A message that the broker has acknowledged survives a power cut.
jetstream {
    store_dir: {{q .StoreDir}}
    sync_interval: always
}
{{with .TLSCert}}
tls {
    cert_file: {{q .}}
    key_file: {{q $.TLSKey}}
{{- with $.TLSCA}}
    ca_file: {{q .}}
    verify: true{{end}}
}
{{end}}
system_account: SYS

accounts {
{{- range .Accounts}}
    {{q .Name}}: {
{{- if .Streams}}
        jetstream: enabled{{end}}
{{- with .Limits}}
        limits: { {{.}} }{{end}}
{{- with .User}}
        users: [
{{- if .Unlimited}}
            { nkey: {{.Key}} }
{{- else}}
            {
                nkey: {{.Key}}
                permissions: {
                    publish: {
                        allow: {{list .Publish}}
{{- if .Deny}}
                        deny: {{list .Deny}}{{end}}
                    }
                    subscribe: { allow: {{list .Subscribe}} }
{{- if .Answers}}
                    allow_responses: { max: 1, expires: "10s" }{{end}}
                }
            }
{{- end}}
        ]{{end}}
{{- if .Exports}}
        exports: [
{{- range .Exports}}
            { {{.Kind}}: {{q .Subject}}, {{if .Many}}response: stream, {{end}}accounts: {{list .Accounts}} }
{{- end}}
        ]{{end}}
{{- if .Imports}}
        imports: [
{{- range .Imports}}
            { {{.Kind}}: { account: {{q .Account}}, subject: {{q .Subject}} }{{with .To}}, to: {{q .}}{{end}} }
{{- end}}
        ]{{end}}
    }
{{- end}}
}
`))

// list writes strings one a line.
func list(all []string) string {
	var b strings.Builder
	b.WriteString("[\n")
	for _, s := range all {
		fmt.Fprintf(&b, "                            %q\n", s)
	}
	b.WriteString("                        ]")
	return b.String()
}
