package cli

import (
	"net"
	"path/filepath"

	access "github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type brokerConfigCmd struct {
	Out        string   `required:"" type:"path" placeholder:"DIR" help:"Folder for nats.conf, keys and a README.txt."`
	Shop       []string `placeholder:"ID" help:"Shops whose own systems connect to the broker; those that have a key in the folder stay."`
	Listen     string   `default:"127.0.0.1:4222" placeholder:"ADDR" help:"Where the broker takes connections (${default})."`
	Monitor    string   `placeholder:"ADDR" help:"Where the broker shows its health and figures over HTTP, without a password; off unless given."`
	ServerName string   `default:"seqrflow" placeholder:"NAME" help:"The broker's name (${default})."`
	StoreDir   string   `default:"/data" placeholder:"DIR" help:"Where the broker keeps the streams (${default})."`
	TLSCert    string   `name:"tls-cert" placeholder:"FILE" help:"The broker's certificate, at its path on the broker's machine."`
	TLSKey     string   `name:"tls-key" placeholder:"FILE" help:"The certificate's key, likewise."`
	TLSCA      string   `name:"tls-ca" placeholder:"FILE" help:"Authority, likewise: clients without a certificate that it has signed are refused."`
	DryRun     bool     `help:"Only say what would be written."`
}

// Help says what the files are and shows examples.
func (brokerConfigCmd) Help() string {
	return `Each process and each shop gets a user whose rights are what it needs and no more. Keys that are in the folder are kept, so the command may be run again: after an update, or to add a shop. README.txt in the folder says which file goes where.

Examples:

    seqrflow broker config --out broker --shop acme,beta
    seqrflow broker config --out broker --listen 0.0.0.0:4222 --tls-cert /tls/broker.pem --tls-key /tls/broker.key
    seqrflow run poller --nats tls://broker:4222 --nats-ca ca.pem --nats-nkey broker/keys/poller.nk`
}

// Run writes the files, or says what it would write.
func (r brokerConfigCmd) Run(c *console) error {
	cfg := access.Config{
		ServerName: r.ServerName, Listen: r.Listen, Monitor: r.Monitor, StoreDir: r.StoreDir,
		TLSCert: r.TLSCert, TLSKey: r.TLSKey, TLSCA: r.TLSCA,
	}
	for _, shop := range r.Shop {
		if shop == "" {
			return wrongUsage("--shop: an empty id")
		}
		cfg.Shops = append(cfg.Shops, events.Token(shop))
	}
	if err := cfg.Validate(); err != nil {
		return wrongUsage("%v", err)
	}
	changes, err := access.Write(r.Out, cfg, r.DryRun)
	for _, ch := range changes {
		c.say("%-8s %s", ch.Action, filepath.Join(r.Out, ch.File))
	}
	if err != nil {
		return err
	}
	if r.DryRun {
		c.say("dry run: nothing was written")
	}
	if r.TLSCert == "" && !local(r.Listen) {
		c.say("note: %s is reachable from other machines and there is no TLS: what is sent can be read on the way. Give --tls-cert and --tls-key", r.Listen)
	}
	return nil
}

// local says that an address takes connections of this machine only.
func local(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
