package seqr

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"
)

// Config says where the provider is and who is calling. Only Endpoint is required.
type Config struct {
	// Endpoint is an https URL; http is taken for this machine's own addresses, others need AllowHTTP.
	Endpoint  string
	AllowHTTP bool

	ClientID        string // the integrator's company
	ClientReference string // the integrator's system and its version; at most 32 characters
	Channel         string // "WS" unless set; at most 40 characters
	Comment         string // at most 80 characters

	Timeout       time.Duration // of one call from start to end, with the decoding of a large answer; 10 s unless set
	ReportTimeout time.Duration // of executeReport; 2 min unless set
	MaxResponse   int64         // bytes of an answer, decompressed; 1 MiB unless set
	MaxReport     int64         // bytes of an answer to executeReport; 256 MiB unless set
	// MaxConns bounds the connections at once, for all terminals together, and those of refunds and commits
	// once more; 4096 unless set. It protects this machine. It is no queue: a caller that may hang on one
	// terminal bounds its calls to that terminal itself. At most 256 connections are kept idle.
	MaxConns int

	RootCAs *x509.CertPool // nil: the system's
	// Transport replaces the client's own. The client then can't see connections, so fewer errors can be
	// proved to be NotSent; none is called so wrongly. It must not repeat requests by itself, and whether
	// refunds get a connection of their own is its affair.
	Transport http.RoundTripper
	Recorder  Recorder // nil: none
	// Observe is told the end of every call, by whichever goroutine made it, before the call returns; nil is nobody.
	Observe func(operation string, c Class, took time.Duration)
}

func (c Config) withDefaults() Config {
	setDefault(&c.Channel, "WS")
	setDefault(&c.Timeout, 10*time.Second)
	setDefault(&c.ReportTimeout, 2*time.Minute)
	setDefault(&c.MaxResponse, 1<<20)
	setDefault(&c.MaxReport, 256<<20)
	setDefault(&c.MaxConns, 4096)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate reports everything that is wrong at once, each with the field's name.
func (c Config) validate() error {
	return errors.Join(
		c.validateEndpoint(),
		atMost("ClientReference", c.ClientReference, 32),
		atMost("Channel", c.Channel, 40),
		atMost("Comment", c.Comment, 80),
		positive("Timeout", int64(c.Timeout)),
		positive("ReportTimeout", int64(c.ReportTimeout)),
		positive("MaxResponse", c.MaxResponse),
		positive("MaxReport", c.MaxReport),
		positive("MaxConns", int64(c.MaxConns)),
	)
}

// validateEndpoint never quotes the URL: a mistaken one may hold a password.
func (c Config) validateEndpoint() error {
	if c.Endpoint == "" {
		return errors.New("seqr: Endpoint: missing")
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil:
		return errors.New("seqr: Endpoint: not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("seqr: Endpoint: expected an https URL")
	case u.Hostname() == "":
		return errors.New("seqr: Endpoint: the URL names no host")
	case u.User != nil:
		return errors.New("seqr: Endpoint: no user name or password may stand in the URL")
	case u.Fragment != "":
		return errors.New("seqr: Endpoint: the URL has a fragment")
	case u.Scheme == "http" && !c.AllowHTTP && !isLoopback(u.Hostname()):
		return errors.New("seqr: Endpoint: http sends passwords in clear; use https, or set AllowHTTP on a network you trust")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func atMost(field, value string, n int) error {
	if got := utf8.RuneCountInString(value); got > n {
		return fmt.Errorf("seqr: %s: expected at most %d characters, got %d", field, n, got)
	}
	return nil
}

func positive(field string, n int64) error {
	if n < 0 {
		return fmt.Errorf("seqr: %s: must not be negative", field)
	}
	return nil
}
