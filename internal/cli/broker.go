package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/natsauth"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// brokerFlags are how a command that only visits reaches the broker.
type brokerFlags struct {
	NATS                 string `name:"nats" env:"SEQRFLOW_NATS" default:"nats://127.0.0.1:4222" placeholder:"URL" help:"The broker (${default})."`
	natsauth.Credentials `embed:""`
}

// connectionsFlag names the connections file to commands that need no other setting.
type connectionsFlag struct {
	ConnectionsFile string `env:"SEQRFLOW_CONNECTIONS_FILE" type:"path" placeholder:"FILE" help:"YAML file that says how the shops' own systems are joined: the notifier has a consumer for each destination."`
}

// load reads the file, and none of the secrets.
func (f connectionsFlag) load() (connections.File, error) {
	s := app.Settings{ConnectionsFile: f.ConnectionsFile}
	if err := s.LoadConnections(); err != nil {
		return connections.File{}, usageError{err}
	}
	return s.Connections, nil
}

// invoiceArg is an invoice as a person names it: shop/invoice.
type invoiceArg struct {
	events.Key
	word string // as it was written, for a shell
}

// UnmarshalText reads shop/invoice.
func (a *invoiceArg) UnmarshalText(text []byte) (err error) {
	a.word = shellWord(string(text))
	a.Key, err = events.ParseKey(string(text))
	return err
}

// patience is how long a command waits for one answer.
const patience = 5 * time.Second

// connect fails at once where nothing answers: a person is waiting.
func (f brokerFlags) connect(c *console) (*bus.Bus, error) { return f.connectWithin(c, patience, 1) }

// connectWithin waits for so long, and connects for a command that may make streams of so many replicas.
func (f brokerFlags) connectWithin(c *console, wait time.Duration, replicas int) (*bus.Bus, error) {
	if err := bus.CheckAddress(f.NATS); err != nil {
		return nil, wrongUsage("--nats: %v", err)
	}
	opts, err := f.Credentials.Options()
	if err != nil {
		return nil, wrongUsage("%v", err)
	}
	done := c.tellSlow(fmt.Sprintf("waiting for the broker at %s, for %s at most …", bus.Address(f.NATS), wait))
	defer done()
	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}) // the command's own error says what the broker refuses
	nc, err := nats.Connect(f.NATS, append(opts, nats.NoReconnect(), nats.Timeout(wait), quiet)...)
	if err != nil {
		return nil, unreachable(f.NATS, wait, err)
	}
	nc.Close()
	ctx, cancel := context.WithTimeout(c.ctx, wait)
	defer cancel()
	return bus.Connect(ctx, bus.Config{URL: f.NATS, Name: "seqrflow command", Options: opts, Replicas: replicas, Log: zerolog.Nop()})
}

// unreachable names the reason why there is no connection to the broker after waiting so long, and what to do.
func unreachable(address string, waited time.Duration, err error) error {
	at := bus.Address(address)
	why, advice := "no broker at "+at, `Start one with "seqrflow up", or say where it is with --nats or SEQRFLOW_NATS`
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), strings.Contains(err.Error(), "Authorization Violation"):
		why, advice = "the broker at "+at+" refuses the credentials", "Give the broker's credentials with --nats-nkey, --nats-creds, or --nats-user and --nats-password-file"
	case errors.Is(err, nats.ErrSecureConnWanted):
		why, advice = "the broker at "+at+" has no TLS, and this command was told to connect with TLS only", "Leave out --nats-ca and tls://, or switch TLS on at the broker"
	case errors.Is(err, nats.ErrSecureConnRequired):
		why, advice = "the broker at "+at+" wants TLS", "Give the certificate of the authority that signed the broker's with --nats-ca"
	case errors.As(err, &verify), errors.As(err, &authority):
		why, advice = "the certificate of the broker at "+at+" is not trusted", "Give the certificate of the authority that signed it with --nats-ca"
	case errors.As(err, &record), strings.Contains(err.Error(), "tls:"):
		why, advice = "TLS with the broker at "+at+" fails", "Compare --nats-ca, --nats-cert and the scheme in --nats with the broker's tls section"
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		why, advice = fmt.Sprintf("the broker at %s said nothing for %s", at, waited), "Is it the right address and port? Something may listen there that is no NATS server, or the network drops what is sent"
	case errors.Is(err, io.EOF), errors.Is(err, nats.ErrNoInfoReceived), strings.Contains(err.Error(), "protocol exception"):
		why, advice = "what answers at "+at+" is no NATS server", "Correct the port in --nats or SEQRFLOW_NATS: a broker listens on 4222 for clients, not on its monitoring or cluster port. A broker that is just stopping answers so, too: try again"
	}
	return errors.New(why + ": " + err.Error() + "\n" + advice) // the cause as text alone: nothing is left for bus.Explain to say
}
