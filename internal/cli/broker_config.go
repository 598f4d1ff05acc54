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
	ReplaceKey    []string `placeholder:"USER" help:"Users that get a new key; the old one is refused once the server has read the new nats.conf."`
	HandOut       string   `env:"SEQRFLOW_BROKER_HAND_OUT" type:"path" placeholder:"DIR" help:"Folder with a folder for each user that is to get its key there, as user.nk beside ca.pem; the folder nats gets what the server needs."`
	Listen        string   `env:"SEQRFLOW_BROKER_LISTEN" default:"127.0.0.1:4222" placeholder:"ADDR" help:"Where the broker takes connections (${default})."`
	Monitor       string   `env:"SEQRFLOW_BROKER_MONITOR" placeholder:"ADDR" help:"Where the broker shows its health and figures over HTTP, without a password; off unless given."`
	ServerName    string   `env:"SEQRFLOW_BROKER_SERVER_NAME" default:"seqrflow" placeholder:"NAME" help:"The broker's name (${default})."`
	StoreDir      string   `env:"SEQRFLOW_BROKER_STORE_DIR" default:"/data" placeholder:"DIR" help:"Where the broker keeps the streams (${default})."`
	TLSSelfSigned bool     `name:"tls-self-signed" env:"SEQRFLOW_BROKER_TLS_SELF_SIGNED" help:"Make an authority and a certificate for the broker, valid for ten years, and make them anew in their last year. A certificate that --tls-from has put there stays."`
	TLSName       []string `name:"tls-name" env:"SEQRFLOW_BROKER_TLS_NAMES" default:"nats,localhost,127.0.0.1" placeholder:"NAME" help:"Names and addresses by which clients reach the broker: the certificate must be valid for each (${default})."`
	TLSFrom       string   `name:"tls-from" type:"path" placeholder:"DIR" help:"Take the certificate of your own authority: server.pem, server.key and ca.pem in this folder."`
	TLSCert       string   `name:"tls-cert" placeholder:"FILE" help:"The broker's certificate, at its path on the broker's machine, where you have put it."`
	TLSKey        string   `name:"tls-key" placeholder:"FILE" help:"The certificate's key, likewise."`
	TLSCA         string   `name:"tls-ca" placeholder:"FILE" help:"Authority, likewise: clients without a certificate that it has signed are refused."`
	DryRun        bool     `help:"Only say what would be written."`
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
	cfg := broker.Config{
		ServerName: r.ServerName, Listen: r.Listen, Monitor: r.Monitor, StoreDir: r.StoreDir,
		TLSCert: r.TLSCert, TLSKey: r.TLSKey, TLSCA: r.TLSCA, TLSSelfSigned: r.TLSSelfSigned, TLSFrom: r.TLSFrom, TLSNames: r.TLSName,
		HandOut: r.HandOut, ReplaceKeys: r.ReplaceKey,
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
	changes, err := broker.Write(r.Out, cfg, r.DryRun)
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
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
