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
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
)

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
	case isNoNATS(err):
		why, advice = "what answers at "+at+" is no NATS server", "Correct the port in --nats or SEQRFLOW_NATS: a broker listens on 4222 for clients, not on its monitoring or cluster port"
	}
	return fmt.Errorf("%s: %w\n%s", why, err, advice)
}

// isNoNATS says that the other side answered, but not in the protocol.
func isNoNATS(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, nats.ErrNoInfoReceived) || strings.Contains(err.Error(), "protocol exception")
}

// explained puts the reason before an error of the broker that only says what was asked, and after it what to do.
func explained(err error) error {
	var why, advice string
	var told *brokerError
	switch {
	case err == nil || errors.As(err, &told):
		return err
	case bus.IsMissing(err):
		why, advice = "No worker has run on this broker yet", "Start them (seqrflow run, or seqrflow up for everything), or make the streams and consumers with: seqrflow broker apply"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		why, advice = "The broker has no JetStream", "Switch it on in the broker's configuration (jetstream {}), for the account of this user too"
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		why, advice = "Nothing on this broker stores what was published", "It has no JetStream or no streams; or a shop's own key is used and no gateway runs"
	case bus.IsDenied(err):
		why, advice = "The broker does not let this user do that", "Use the key of the operator, the reader or the provisioner: --nats-nkey; see: seqrflow broker config --help"
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded) && strings.Contains(err.Error(), "stream "):
		why, advice = fmt.Sprintf("The broker did not answer within %s", patience), "See its log: it may be starting, or without a leader for its streams"
	default:
		return err
	}
	return &brokerError{why, advice, err}
}

// brokerError is an error of the broker with its reason.
type brokerError struct {
	why, advice string
	err         error
}

func (e *brokerError) Error() string { return e.why + ". " + e.advice + "\n(" + e.err.Error() + ")" }
func (e *brokerError) Unwrap() error { return e.err }
