package seqr_test

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var errBroken = errors.New("broken")

// TestForeignTransport: without sight of connections, only an untouched body proves that nothing was sent.
func TestForeignTransport(t *testing.T) {
	for name, c := range map[string]struct {
		trip roundTrip
		want seqr.SentState
	}{
		"gave up at once": {func(*http.Request) (*http.Response, error) { return nil, errBroken }, seqr.NotSent},
		"closed the body": {func(r *http.Request) (*http.Response, error) { _ = r.Body.Close(); return nil, errBroken }, seqr.NotSent},
		"read one byte": {func(r *http.Request) (*http.Response, error) {
			_, _ = r.Body.Read(make([]byte, 1))
			return nil, errBroken
		}, seqr.MaybeSent},
		"read it, then gave up": {func(r *http.Request) (*http.Response, error) { _, _ = io.ReadAll(r.Body); return nil, errBroken }, seqr.MaybeSent},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, seqr.Config{Endpoint: "https://provider.example/", Transport: c.trip})
			err := refund(t.Context(), client)
			expectSent(t, err, c.want)
			if !errors.Is(err, errBroken) {
				t.Errorf("the cause is lost: %v", err)
			}
		})
	}
}

// TestForeignTransportThatLags: what reads the body after the call has ended gets nothing.
func TestForeignTransportThatLags(t *testing.T) {
	var body io.Reader
	client := newClient(t, seqr.Config{Endpoint: "https://provider.example/", Transport: roundTrip(
		func(r *http.Request) (*http.Response, error) { body = r.Body; return nil, errBroken })})
	expectSent(t, refund(t.Context(), client), seqr.NotSent)
	if late, err := io.ReadAll(body); len(late) != 0 || err == nil {
		t.Errorf("a request called not sent could still be read: %q, %v", late, err)
	}
}

func TestForeignTransportThatWorks(t *testing.T) {
	var got string
	client := newClient(t, seqr.Config{Endpoint: "https://provider.example/", Transport: roundTrip(
		func(r *http.Request) (*http.Response, error) {
			b, err := io.ReadAll(r.Body)
			got = string(b)
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(answerTo("refundPayment", "<resultCode>0</resultCode>")))}, err
		})})
	if err := refund(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, "<ext:refundPayment>") {
		t.Errorf("sent %q", got)
	}
}

// TestStandardTransport: net/http's own transport, given from outside, does not repeat requests either.
func TestStandardTransport(t *testing.T) {
	requests := make(chan struct{}, 10)
	p := listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for n := 0; readRequest(t, r); n++ {
			requests <- struct{}{}
			if n == 1 {
				return
			}
			_, _ = io.WriteString(c, httpAnswer(answerTo("cancelInvoice", "<resultCode>0</resultCode>")))
		}
	})
	client := newClient(t, seqr.Config{Endpoint: p.url, Transport: &http.Transport{}})
	if err := cancelOne(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	expectSent(t, cancelOne(t.Context(), client), seqr.MaybeSent)
	if len(requests) != 2 {
		t.Errorf("2 calls made %d requests", len(requests))
	}
}
