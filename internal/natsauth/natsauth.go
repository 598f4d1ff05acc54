// Package natsauth has the flags with which a process shows the broker which user it is, and makes sure which broker it is.
package natsauth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/internal/secretfile"
)

// Credentials are the flags that commands and workers have in common. Without any of them a process connects as no user.
type Credentials struct {
	NATSCA           string `name:"nats-ca" env:"SEQRFLOW_NATS_CA" type:"path" placeholder:"FILE" help:"Certificates (PEM) of the authority that signed the broker's; connects with TLS only."`
	NATSCert         string `name:"nats-cert" env:"SEQRFLOW_NATS_CERT" type:"path" placeholder:"FILE" help:"Client certificate (PEM) to show the broker."`
	NATSKey          string `name:"nats-key" env:"SEQRFLOW_NATS_KEY" type:"path" placeholder:"FILE" help:"Key of the client certificate (PEM)."`
	NATSNKey         string `name:"nats-nkey" env:"SEQRFLOW_NATS_NKEY" type:"path" placeholder:"FILE" help:"NATS nkey seed, as \"seqrflow broker config\" writes it."`
	NATSCreds        string `name:"nats-creds" env:"SEQRFLOW_NATS_CREDS" type:"path" placeholder:"FILE" help:"NATS credentials file."`
	NATSUser         string `name:"nats-user" env:"SEQRFLOW_NATS_USER" placeholder:"NAME" help:"NATS user."`
	NATSPasswordFile string `name:"nats-password-file" env:"SEQRFLOW_NATS_PASSWORD_FILE" type:"path" placeholder:"FILE" help:"File with the user's password."`
	NATSInboxPrefix  string `name:"nats-inbox-prefix" env:"SEQRFLOW_NATS_INBOX_PREFIX" placeholder:"PREFIX" help:"Subjects for the broker's replies, where the user may not subscribe to _INBOX.>."`
}

// CredentialFlags are the names of the flags.
func CredentialFlags() []string {
	return []string{"nats-ca", "nats-cert", "nats-key", "nats-nkey", "nats-creds", "nats-user", "nats-password-file", "nats-inbox-prefix"}
}

// Options are those of a connection with the credentials. The error names every flag whose value can't be used, and no secret.
func (c Credentials) Options() ([]nats.Option, error) {
	var u usable
	if c.NATSCA != "" {
		u.add("nats-ca", c.NATSCA, nats.RootCAs(c.NATSCA), "%s has no certificate in PEM", c.NATSCA)
	}
	switch {
	case c.NATSCert == "" && c.NATSKey == "":
	case c.NATSCert == "":
		u.refuse("nats-key", "needs --nats-cert too")
	case c.NATSKey == "":
		u.refuse("nats-cert", "needs --nats-key too")
	default:
		u.add("nats-cert: with --nats-key", c.NATSKey, nats.ClientCert(c.NATSCert, c.NATSKey), "")
	}
	c.identity(&u)
	if p := c.NATSInboxPrefix; strings.ContainsAny(p, " \t\r\n") {
		u.refuse("nats-inbox-prefix", "%q has white space", p)
	} else if p != "" {
		u.add("nats-inbox-prefix", "", nats.CustomInboxPrefix(p), "%q is no subject without wildcards and without a dot at the end", p)
	}
	if err := errors.Join(u.errs...); err != nil {
		return nil, err
	}
	return u.opts, nil
}

// usable collects the options that can be used, and says of the others why not.
type usable struct {
	opts []nats.Option
	errs []error
}

func (u *usable) refuse(flag, format string, args ...any) {
	u.errs = append(u.errs, fmt.Errorf("--"+flag+": "+format, args...))
}

// add adds an option whose file, if it has one, can be read, and that the client takes; if the client does not, what is wrong is said
// in the words given, or else in the client's.
func (u *usable) add(flag, file string, o nats.Option, wrong string, args ...any) {
	if file != "" {
		if _, err := secretfile.Read(file); err != nil {
			u.refuse(flag, "%w", err)
			return
		}
	}
	switch err := o(&nats.Options{}); {
	case err != nil && wrong == "":
		u.refuse(flag, "%w", err)
	case err != nil:
		u.refuse(flag, wrong, args...)
	default:
		u.opts = append(u.opts, o)
	}
}

// identity adds one of nkey, credentials file, and user with password.
func (c Credentials) identity(u *usable) {
	var given []string
	for _, f := range []struct{ flag, value string }{{"--nats-nkey", c.NATSNKey}, {"--nats-creds", c.NATSCreds}, {"--nats-user", c.NATSUser}} {
		if f.value != "" {
			given = append(given, f.flag)
		}
	}
	switch {
	case len(given) > 1:
		u.errs = append(u.errs, fmt.Errorf("%s: give one of them", strings.Join(given, " and ")))
	case c.NATSNKey != "":
		// The seed is read again at each connection, so that a key can be replaced while the process runs.
		o, err := nats.NkeyOptionFromSeed(c.NATSNKey)
		if err != nil {
			o = func(*nats.Options) error { return err }
		}
		u.add("nats-nkey", c.NATSNKey, o, "%s is no nkey seed of a user (it begins with SU)", c.NATSNKey)
	case c.NATSCreds != "":
		u.add("nats-creds", c.NATSCreds, nats.UserCredentials(c.NATSCreds), "")
	case c.NATSUser != "" && c.NATSPasswordFile == "":
		u.refuse("nats-user", "needs --nats-password-file too")
	case c.NATSUser == "" && c.NATSPasswordFile != "":
		u.refuse("nats-password-file", "needs --nats-user too")
	case c.NATSUser != "":
		password, err := secretfile.Text(c.NATSPasswordFile)
		if err != nil {
			u.refuse("nats-password-file", "%w", err)
		}
		u.opts = append(u.opts, nats.UserInfo(c.NATSUser, password))
	}
}
