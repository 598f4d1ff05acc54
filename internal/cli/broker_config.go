package cli

import (
	"net"
	"path/filepath"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type brokerConfigCmd struct {
	Out           string   `required:"" env:"SEQRFLOW_BROKER_OUT" type:"path" placeholder:"DIR" help:"Folder for nats.conf, keys, certificates and a README.txt."`
	Shop          []string `placeholder:"ID" help:"Shops whose own systems connect to the broker; those that have a key in the folder stay."`
	broker.Config `embed:""`
	DryRun        bool `help:"Only say what would be written."`
}

// Help says what the files are and shows examples.
func (brokerConfigCmd) Help() string {
	return `Each process and each shop gets a user whose rights are what it needs and no more. Keys that are in the folder are kept, so the command may be run again: after an update, or to add a shop. README.txt in the folder says which file goes where.

Examples:

    seqrflow broker config --out broker --shop acme,beta
    seqrflow broker config --out broker --listen 0.0.0.0:4222 --tls-self-signed --tls-name broker.example,10.0.0.5
    seqrflow broker config --out broker --replace-key poller
    seqrflow broker config --out broker --listen 0.0.0.0:4222 --tls-cert /tls/broker.pem --tls-key /tls/broker.key
    seqrflow run poller --nats tls://broker:4222 --nats-ca ca.pem --nats-nkey broker/keys/poller.nk`
}

// Run writes the files, or says what it would write.
func (r brokerConfigCmd) Run(c *console) error {
	for _, shop := range r.Shop {
		if shop == "" {
			return wrongUsage("--shop: an empty id")
		}
		r.Shops = append(r.Shops, events.Token(shop))
	}
	changes, err := broker.Write(r.Out, r.Config, r.DryRun)
	for _, ch := range changes {
		if !filepath.IsAbs(ch.File) {
			ch.File = filepath.Join(r.Out, ch.File)
		}
		c.say("%-8s %s", ch.Action, ch.File)
	}
	if err != nil {
		return err
	}
	if r.DryRun {
		c.say("dry run: nothing was written")
	}
	if r.TLSCert == "" && !r.TLSSelfSigned && r.TLSFrom == "" && !local(r.Listen) {
		c.say("note: %s is reachable from other machines and there is no TLS: what is sent can be read on the way. Give --tls-self-signed, or --tls-cert and --tls-key", r.Listen)
	}
	return nil
}

// local says that an address takes connections of this machine only.
func local(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && isLoopback(host)
}

// isLoopback says that a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
