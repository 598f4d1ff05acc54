package seqr

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
	"unicode/utf8"
)

// Config has the settings of a Client. Only Endpoint is required.
type Config struct {
	// Endpoint is an https URL. An http URL is accepted for this machine's own addresses, and for others with AllowHTTP.
	Endpoint  string
	AllowHTTP bool

	ClientID        string // the integrator's company
	ClientReference string // the integrator's system and its version; at most 32 characters
	Channel         string // at most 40 characters; "WS" unless set
	Comment         string // at most 80 characters

	Timeout       time.Duration // of one call from start to end, with the decoding of a large answer; 10 s unless set
	ReportTimeout time.Duration // the same for executeReport; 2 min unless set
	MaxResponse   int64         // bytes of an answer, decompressed; 1 MiB unless set
	MaxReport     int64         // the same for executeReport; 256 MiB unless set
	// MaxConns limits the connections that are open at once, for all terminals together, and once more those of
	// refunds and commits. It is 4096 unless set. It protects this machine and is no queue: a caller that may hang on
	// one terminal limits its calls to that terminal itself. At most 4096 connections are kept idle, for 30 s.
	MaxConns int

	RootCAs  *x509.CertPool // the certificates to trust; nil: those of the system
	Recorder Recorder       // nil: exchanges are not recorded
	// Observe is called at the end of every call, by the goroutine that makes the call and before the call returns. It
	// must be safe for concurrent use. nil: it is not called.
	Observe func(operation string, c Class, took time.Duration)
}

func (c Config) withDefaults() Config {
	c.Channel = cmp.Or(c.Channel, "WS")
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.ReportTimeout = cmp.Or(c.ReportTimeout, 2*time.Minute)
	c.MaxResponse = cmp.Or(c.MaxResponse, 1<<20)
	c.MaxReport = cmp.Or(c.MaxReport, 256<<20)
	c.MaxConns = cmp.Or(c.MaxConns, 4096)
	return c
}

// validate returns everything that is wrong, each with the name of the field.
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

// validateEndpoint never quotes the URL: a wrong one may have a password in it.
func (c Config) validateEndpoint() error {
	if c.Endpoint == "" {
		return errors.New("seqr: Endpoint: missing")
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http":
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
