package outbound

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "canary-in-the-url"

// serve starts a server on this machine and a client of it.
func serve(t *testing.T, h http.HandlerFunc) (url string, c *Client) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c = New(Config{})
	t.Cleanup(c.Close)
	return s.URL, c
}

func get(t *testing.T, c *Client, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err == nil {
		t.Cleanup(func() { resp.Body.Close() })
	} else if strings.Contains(err.Error(), canary) {
		t.Errorf("the error has what was in the URL: %v", err)
	}
	return resp, err
}

func TestAddressesThatNoShopHasAreRefused(t *testing.T) {
	for _, c := range []struct {
		address           string
		public, ifPrivate bool
	}{
		{"93.184.216.34", true, true}, {"2606:2800:21f:cb07:6820:80da:af6b:8b2c", true, true}, {"::ffff:93.184.216.34", true, true},
		{"127.0.0.1", false, true}, {"127.8.9.1", false, true}, {"::1", false, true}, {"::ffff:127.0.0.1", false, true},
		{"10.1.2.3", false, true}, {"172.16.0.1", false, true}, {"172.31.255.255", false, true}, {"192.168.1.1", false, true}, {"::ffff:10.0.0.1", false, true},
		{"100.64.0.1", false, true}, {"100.127.255.255", false, true}, {"fc00::1", false, true}, {"fd12:3456::1", false, true},
		{"172.32.0.1", true, true}, {"100.128.0.1", true, true}, {"11.0.0.1", true, true},
		{"169.254.169.254", false, false}, {"::ffff:169.254.169.254", false, false}, {"fe80::1%eth0", false, false}, {"fd00:ec2::254", false, false},
		{"0.0.0.0", false, false}, {"0.1.2.3", false, false}, {"::", false, false}, {"::127.0.0.1", false, false},
		{"224.0.0.1", false, false}, {"239.255.255.250", false, false}, {"ff02::1", false, false}, {"255.255.255.255", false, false}, {"240.0.0.1", false, false},
		{"198.18.0.1", false, false}, {"192.0.2.1", false, false}, {"64:ff9b::7f00:1", false, false}, {"2002:7f00:1::", false, false}, {"2001::1", false, false},
	} {
		a := netip.MustParseAddr(c.address)
		for allowed, want := range map[bool]bool{false: c.public, true: c.ifPrivate} {
			if err := refuse(a, allowed); (err == nil) != want || err != nil && !errors.Is(err, ErrRefused) {
				t.Errorf("%s with allow_private %v: %v", a, allowed, err)
			}
		}
	}
}

func TestOnlyHTTPSUnlessToThisMachine(t *testing.T) {
	url, c := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := get(t, c, url); err != nil {
		t.Error(err)
	}
	for _, url := range []string{"http://shop.example/" + canary, "ftp://127.0.0.1/" + canary, "http://127.0.0.1.example/" + canary} {
		if _, err := get(t, c, url); err == nil || !strings.Contains(err.Error(), "expected https") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestWhatEachCallSays(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	var seen http.Header
	url, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte("packed"))
		_ = z.Close()
	})
	resp, err := get(t, c, url)
	if err != nil {
		t.Fatal(err)
	}
	if ua := seen.Get("User-Agent"); !strings.HasPrefix(ua, "seqrflow/") || seen.Get("Accept-Encoding") != "identity" {
		t.Errorf("headers %v", seen)
	}
	if body, _ := io.ReadAll(resp.Body); strings.Contains(string(body), "packed") {
		t.Error("an answer was unpacked: a small one may become any size")
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var calls atomic.Int32
	url, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	resp, err := get(t, c, url)
	if err != nil || resp.StatusCode != http.StatusFound || calls.Load() != 1 {
		t.Errorf("%v, %v, %d calls", resp, err, calls.Load())
	}
}

func TestALargeAnswerIsCutOff(t *testing.T) {
	for size, want := range map[int]error{MaxAnswer: nil, MaxAnswer + 1: ErrAnswerTooLarge, 10 * MaxAnswer: ErrAnswerTooLarge} {
		url, c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) })
		resp, err := get(t, c, url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if !errors.Is(err, want) || len(body) > MaxAnswer {
			t.Errorf("%d bytes: %d read, %v", size, len(body), err)
		}
	}
}

func TestACallEndsInTime(t *testing.T) {
	block := make(chan struct{})
	url, c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-block // an answer that never ends
	})
	t.Cleanup(func() { close(block) })
	if c.http.Timeout != Timeout {
		t.Errorf("timeout %s", c.http.Timeout)
	}
	c.http.Timeout = 20e6
	resp, err := get(t, c, url+"/"+canary)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
	}
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("an answer that never ends: %v", err)
	}
}

func TestAnErrorHasNothingOfTheURLButTheHost(t *testing.T) {
	c := New(Config{AllowPrivate: true})
	t.Cleanup(c.Close)
	_, err := get(t, c, "http://127.0.0.1:1/hooks/"+canary+"?key="+canary)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("%v", err)
	}
}

// names answers each question for an address with the next of the addresses, and the last one again and again.
func names(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for buf := make([]byte, 1500); ; {
			n, from, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addresses[0]).As4()},
				}}
				if len(addresses) > 1 {
					addresses = addresses[1:]
				}
			}
			if body, err := m.Pack(); err == nil {
				_, _ = l.WriteTo(body, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", l.LocalAddr().String())
	}}
}

func TestANameThatResolvesToAPrivateAddressIsRefused(t *testing.T) {
	c := New(Config{})
	t.Cleanup(c.Close)
	for _, address := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254"} {
		c.resolver = names(t, address)
		if _, err := get(t, c, "https://shop.example/"+canary); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestANameIsCheckedWheneverItIsResolved: 127.0.0.1 stands for a public address, 127.0.0.2 for a private one, and both reach a server.
func TestANameIsCheckedWheneverItIsResolved(t *testing.T) {
	var calls atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Listener.Close()
	s.Listener = l
	s.StartTLS()
	t.Cleanup(s.Close)
	c := New(Config{})
	t.Cleanup(c.Close)
	c.resolver = names(t, "127.0.0.1", "127.0.0.2")
	c.refuse = func(a netip.Addr) error {
		if a == netip.MustParseAddr("127.0.0.1") {
			return nil
		}
		return ErrRefused
	}
	tr := c.http.Transport.(*http.Transport)
	tr.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	tr.DisableKeepAlives = true
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if _, err := get(t, c, "https://example.com:"+port+"/"); err != nil {
		t.Fatalf("the public address: %v", err)
	}
	if _, err := get(t, c, "https://example.com:"+port+"/"); !errors.Is(err, ErrRefused) || calls.Load() != 1 {
		t.Errorf("the private address: %v, %d calls", err, calls.Load())
	}
}
