package outbound

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestReachSendsNothing: a check of a destination connects, checks the certificate, and makes no request. It refuses what a call
// would refuse.
func TestReachSendsNothing(t *testing.T) {
	var requests atomic.Int32
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	secure, plain := httptest.NewTLSServer(handler), httptest.NewServer(handler)
	defer secure.Close()
	defer plain.Close()
	known := New(Config{})
	known.http.Transport.(*http.Transport).TLSClientConfig.RootCAs = secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for _, url := range []string{secure.URL + "/in?key=canary", plain.URL} {
		if err := known.Reach(t.Context(), url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for url, want := range map[string]string{
		secure.URL + "/in?key=canary": "certificate", "https://" + plain.Listener.Addr().String(): "tls", "https://10.1.2.3/": "private network", "http://127.0.0.1:1/canary": "127.0.0.1:1",
	} {
		if err := New(Config{}).Reach(t.Context(), url); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := New(Config{}).Reach(t.Context(), "https://169.254.169.254/"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("%d requests were made", n)
	}
}
