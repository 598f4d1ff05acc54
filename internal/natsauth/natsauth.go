// Package natsauth has the flags with which a process shows the broker which user it is, and makes sure which broker it is.
package natsauth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

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
	var opts []nats.Option
	var errs []error
	for _, part := range []func() ([]nats.Option, error){c.transport, c.identity, c.inbox} {
		o, err := part()
		opts, errs = append(opts, o...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return opts, nil
}

func wrongFlag(flag, format string, args ...any) error {
	return fmt.Errorf("--"+flag+": "+format, args...)
}

func (c Credentials) transport() (opts []nats.Option, err error) {
	var errs []error
	if c.NATSCA != "" {
		pem, err := secretfile.Read(c.NATSCA)
		switch {
		case err != nil:
			errs = append(errs, wrongFlag("nats-ca", "%w", err))
		case !x509.NewCertPool().AppendCertsFromPEM(pem):
			errs = append(errs, wrongFlag("nats-ca", "%s has no certificate in PEM", c.NATSCA))
		default:
			opts = append(opts, nats.RootCAs(c.NATSCA))
		}
	}
	switch {
	case c.NATSCert == "" && c.NATSKey == "":
	case c.NATSCert == "":
		errs = append(errs, wrongFlag("nats-key", "needs --nats-cert too"))
	case c.NATSKey == "":
		errs = append(errs, wrongFlag("nats-cert", "needs --nats-key too"))
	default:
		if _, err := secretfile.Read(c.NATSKey); err != nil {
			errs = append(errs, wrongFlag("nats-cert", "with --nats-key: %w", err))
			break
		}
		if _, err := tls.LoadX509KeyPair(c.NATSCert, c.NATSKey); err != nil {
			errs = append(errs, wrongFlag("nats-cert", "with --nats-key: %w", err))
			break
		}
		opts = append(opts, nats.ClientCert(c.NATSCert, c.NATSKey))
	}
	return opts, errors.Join(errs...)
}

// identity is one of nkey, credentials file, and user with password.
func (c Credentials) identity() ([]nats.Option, error) {
	var given []string
	for _, f := range []struct{ flag, value string }{{"--nats-nkey", c.NATSNKey}, {"--nats-creds", c.NATSCreds}, {"--nats-user", c.NATSUser}} {
		if f.value != "" {
			given = append(given, f.flag)
		}
	}
	switch {
	case len(given) > 1:
		return nil, fmt.Errorf("%s: give one of them", strings.Join(given, " and "))
	case c.NATSNKey != "":
		return nkeyOption(c.NATSNKey)
	case c.NATSCreds != "":
		if _, err := secretfile.Read(c.NATSCreds); err != nil {
			return nil, wrongFlag("nats-creds", "%w", err)
		}
		return []nats.Option{nats.UserCredentials(c.NATSCreds)}, nil
	case c.NATSUser != "" && c.NATSPasswordFile == "":
		return nil, wrongFlag("nats-user", "needs --nats-password-file too")
	case c.NATSUser == "" && c.NATSPasswordFile != "":
		return nil, wrongFlag("nats-password-file", "needs --nats-user too")
	case c.NATSUser != "":
		return c.password()
	}
	return nil, nil
}

func (c Credentials) password() ([]nats.Option, error) {
	password, err := secretfile.Text(c.NATSPasswordFile)
	if err != nil {
		return nil, wrongFlag("nats-password-file", "%w", err)
	}
	return []nats.Option{nats.UserInfo(c.NATSUser, password)}, nil
}

// nkeyOption reads the seed again at each connection, so that a key can be replaced while the process runs.
func nkeyOption(file string) ([]nats.Option, error) {
	seed, err := secretfile.Read(file)
	if err != nil {
		return nil, wrongFlag("nats-nkey", "%w", err)
	}
	pair, err := nkeys.ParseDecoratedNKey(seed)
	if err != nil {
		return nil, wrongFlag("nats-nkey", "%s is no nkey seed (it begins with SU)", file)
	}
	defer pair.Wipe()
	if public, err := pair.PublicKey(); err != nil || !nkeys.IsValidPublicUserKey(public) {
		return nil, wrongFlag("nats-nkey", "%s is the seed of something other than a user (it begins with SU)", file)
	}
	opt, err := nats.NkeyOptionFromSeed(file)
	if err != nil {
		return nil, wrongFlag("nats-nkey", "%s: %w", file, err)
	}
	return []nats.Option{opt}, nil
}

func (c Credentials) inbox() ([]nats.Option, error) {
	if c.NATSInboxPrefix == "" {
		return nil, nil
	}
	var o nats.Options
	if err := nats.CustomInboxPrefix(c.NATSInboxPrefix)(&o); err != nil || strings.ContainsAny(c.NATSInboxPrefix, " \t\r\n") {
		return nil, wrongFlag("nats-inbox-prefix", "%q is no subject without wildcards and without a dot at the end", c.NATSInboxPrefix)
	}
	return []nats.Option{nats.CustomInboxPrefix(c.NATSInboxPrefix)}, nil
}
