package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// Reach connects to the host of the URL, and sends nothing: for https it ends after the TLS handshake. It is for a check whether calls
// could be made, which must have no effect there. The error has the host and nothing else of the URL.
func (c *Client) Reach(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("not a URL")
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	port := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	conn, err := c.dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))
	if err != nil {
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	defer func() { _ = conn.Close() }()
	if u.Scheme != "https" {
		return nil
	}
	settings := c.http.Transport.(*http.Transport).TLSClientConfig.Clone()
	settings.ServerName = u.Hostname()
	if err := tls.Client(conn, settings).HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	return nil
}
