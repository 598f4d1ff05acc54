package cli

import (
	"errors"
	"path/filepath"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type brokerCmd struct {
	Config   brokerConfigCmd   `cmd:"" help:"Write a NATS server configuration with a user and a key for each process."`
	Apply    brokerApplyCmd    `cmd:"" help:"Make the streams and consumers that the workers need."`
	Restored brokerRestoredCmd `cmd:"" help:"Say that the broker was restored from a backup: nothing that may have been paid since is paid again."`
}

type brokerConfigCmd struct {
	Out           string   `required:"" env:"SEQRFLOW_BROKER_OUT" type:"path" placeholder:"DIR" help:"Folder for nats.conf, keys, certificates and a README.txt."`
	Shop          []string `placeholder:"ID" help:"Shops whose own systems connect to the broker; those that have a key in the folder stay."`
	broker.Config `embed:""`
	connectionsFlag
	DryRun bool `help:"Only say what would be written."`
}

func (brokerConfigCmd) Help() string {
	return `Each process and each shop gets a user whose rights are what it needs and no more. The command may be run again, after an update or to add a shop: keys that are in the folder are kept, and so is every setting below that is not given. To begin anew, move nats.conf away. README.txt in the folder says which file goes where.

Examples:

    seqrflow broker config --out broker --shop acme,beta
    seqrflow broker config --out broker --listen 0.0.0.0:4222 --tls-self-signed --tls-name broker.example,10.0.0.5
    seqrflow broker config --out broker --replace-key poller
    seqrflow broker config --out broker --listen 0.0.0.0:4222 --tls-cert /tls/broker.pem --tls-key /tls/broker.key
    seqrflow run poller --nats tls://broker:4222 --nats-ca ca.pem --nats-nkey broker/keys/poller.nk`
}

func (r brokerConfigCmd) Run(c *console) (err error) {
	for _, shop := range r.Shop {
		if shop == "" {
			return wrongUsage("--shop: an empty id")
		}
		r.Shops = append(r.Shops, events.Token(shop))
	}
	r.Config.ConnectionsFile = r.connectionsFlag.ConnectionsFile
	if r.Config, err = r.WithDefaults(r.Out); err != nil {
		return err
	}
	r.connectionsFlag.ConnectionsFile = r.Config.ConnectionsFile
	if r.Connections, err = r.load(); err != nil {
		return err
	}
	changes, err := broker.Write(r.Out, r.Config, r.DryRun)
	for _, ch := range changes {
		if !filepath.IsAbs(ch.File) {
			ch.File = filepath.Join(r.Out, ch.File)
		}
		c.say("%-8s %s", ch.Action, ch.File)
	}
	if wrong := new(broker.WrongSettings); errors.As(err, wrong) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if r.DryRun {
		c.say("dry run: nothing was written")
	}
	if r.TLSCert == "" && !r.TLSSelfSigned && r.TLSFrom == "" && !loopback("//"+r.Listen) {
		c.say("note: %s is reachable from other machines and there is no TLS: what is sent can be read on the way. Give --tls-self-signed, or --tls-cert and --tls-key", r.Listen)
	}
	return nil
}
