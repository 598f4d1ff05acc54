package broker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Config of the server that is written, and of the files around it; each field is a flag of "seqrflow broker config". What has JSON is
// written to nats.conf for the next run ([Config.WithDefaults]).
type Config struct {
	Shops           []string         `kong:"-" json:"-"`          // subject tokens of the shops that connect to the broker themselves
	Connections     connections.File `kong:"-" json:"-"`          // how shops' systems are joined
	ConnectionsFile string           `kong:"-" json:",omitempty"` // where that was read from
	ReplaceKeys     []string         `name:"replace-key" json:"-" placeholder:"USER" help:"Users that get a new key; the old one is refused once the server has read the new nats.conf."`
	HandOut         string           `env:"SEQRFLOW_BROKER_HAND_OUT" json:",omitempty" type:"path" placeholder:"DIR" help:"Folder with a folder for each user that is to get its key there, as user.nk beside ca.pem; the folder nats gets what the server needs."`
	Listen          string           `env:"SEQRFLOW_BROKER_LISTEN" placeholder:"ADDR" help:"Where the broker takes connections (127.0.0.1:4222)."`
	Monitor         string           `env:"SEQRFLOW_BROKER_MONITOR" json:",omitempty" placeholder:"ADDR" help:"Where the broker shows its health and figures over HTTP, without a password; off unless given."`
	ServerName      string           `env:"SEQRFLOW_BROKER_SERVER_NAME" placeholder:"NAME" help:"The broker's name (seqrflow)."`
	StoreDir        string           `env:"SEQRFLOW_BROKER_STORE_DIR" placeholder:"DIR" help:"Where the broker keeps the streams (/data)."`

	TLSSelfSigned bool     `name:"tls-self-signed" env:"SEQRFLOW_BROKER_TLS_SELF_SIGNED" json:",omitempty" help:"Make an authority and a certificate for the broker, valid for ten years, and make them anew in their last year. A certificate that --tls-from has put there stays."`
	TLSNames      []string `name:"tls-name" env:"SEQRFLOW_BROKER_TLS_NAMES" placeholder:"NAME" help:"Names and addresses by which clients reach the broker: the certificate must be valid for each (nats,localhost,127.0.0.1)."`
	TLSFrom       string   `name:"tls-from" json:"-" type:"path" placeholder:"DIR" help:"Take the certificate of your own authority: server.pem, server.key and ca.pem in this folder."`
	TLSCert       string   `name:"tls-cert" json:",omitempty" placeholder:"FILE" help:"The broker's certificate, at its path on the broker's machine, where you have put it."`
	TLSKey        string   `name:"tls-key" json:",omitempty" placeholder:"FILE" help:"The certificate's key, likewise."`
	TLSCA         string   `name:"tls-ca" json:",omitempty" placeholder:"FILE" help:"Authority, likewise: clients without a certificate that it has signed are refused."`
}

// MaxPayload lets an over-long order reach the stream, so that it is parked with a reason.
const MaxPayload = "4MB"

// What one shop's account may do at most. The server has no limit on how much an account publishes.
const (
	shopPayload       = 1 << 20
	shopConnections   = 16
	shopSubscriptions = 1000
)

// Check reports everything that is wrong, by the names of the command's flags.
func (c Config) Check() error {
	var errs []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(!isAddress(c.Listen), "--listen: expected host:port, got %q", c.Listen)
	wrong(c.Monitor != "" && !isAddress(c.Monitor), "--monitor: expected host:port, got %q", c.Monitor)
	wrong(c.StoreDir == "", "--store-dir: missing")
	wrong((c.TLSCert == "") != (c.TLSKey == ""), "--tls-cert and --tls-key go together")
	wrong(c.TLSCA != "" && c.TLSCert == "", "--tls-ca: clients show certificates only where the server does: give --tls-cert and --tls-key too")
	wrong(len(c.TLSNames) == 0 && c.makesTLS(), "--tls-name: missing")
	for _, name := range c.TLSNames {
		wrong(!isHost(name), "--tls-name: expected a host's name or address, got %q", name)
	}
	for _, u := range c.ReplaceKeys {
		wrong(!slices.Contains(c.Users(), u), "--replace-key: there is no user %q; there are %s", u, strings.Join(c.Users(), ", "))
	}
	for _, s := range c.Shops {
		wrong(!events.IsToken(s), "--shop: %q is no subject token", s)
	}
	return errors.Join(errs...)
}

func isHost(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil || name != "" && strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_.*") == ""
}

func isAddress(listen string) bool {
	_, port, err := net.SplitHostPort(listen)
	n, nerr := strconv.Atoi(port)
	return err == nil && nerr == nil && n >= -1 && n <= 65535
}

// roles of the configuration: the table's, and one for each shop.
func (c Config) roles() []Role {
	out := Roles(c.Connections)
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

// firstLine tells a file that this command has written, and may write again, from one that it has not.
const firstLine = "# Written by \"seqrflow broker config\", which writes it again: changes by hand are lost."

// conf is the server's configuration; settings is the line for the next run, keys are the public keys of the users.
func (c Config) conf(settings string, keys map[string]string) (string, error) {
	var b strings.Builder
	err := confTemplate.Execute(&b, struct {
		Config
		FirstLine, Settings, MaxPayload string
		Accounts                        []*account
	}{c, firstLine, settings, MaxPayload, c.accounts(keys)})
	return b.String(), err
}

var confTemplate = template.Must(template.New("nats.conf").Funcs(template.FuncMap{"q": strconv.Quote, "list": list}).Parse(`{{.FirstLine}}
{{.Settings}}
# The account SEQRFLOW has the streams and no user; every other has one user. What a user may do is its permissions; what its account imports is the same once
# more, so that an answer of the broker goes no further than a request.

server_name: {{q (or .ServerName "seqrflow")}}
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
