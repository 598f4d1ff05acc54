package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/rig"
)

// TestARequestThatWaitsIsAnsweredWhenTheGatewayStops: a shop's system must not read it as a failure that the gateway is updated.
func TestARequestThatWaitsIsAnsweredWhenTheGatewayStops(t *testing.T) {
	t.Parallel()
	const token = "a token of 20 letters or more"
	o := Options{Settings: settings(), Targets: []string{"natsd", "gateway"}, NATSListen: "127.0.0.1:0", Data: t.TempDir(), Log: zerolog.Nop()}
	o.Connections = connections.File{Connections: map[string]connections.Connection{rig.Shop: {APIToken: connections.SecretFiles{write(t, "token", token)}}}}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	handled, answered := make(chan struct{}), make(chan struct{})
	trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(handled) }})
	body := `{"orderId":"1","currency":"SEK","total":"10","rows":[{"description":"Tea","quantity":1,"total":"10"}]}`
	r, err := http.NewRequestWithContext(trace, http.MethodPost, s.URLs.Gateway+"/v1/shops/"+rig.Shop+"/orders?wait=25s", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Expect", "100-continue")
	go func() {
		defer close(answered)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusCreated || !strings.Contains(string(text), `"state":"PREPARING"`) {
			t.Errorf("%d %s, %v", resp.StatusCode, text, err)
		}
	}()
	<-handled
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	<-answered
	http.DefaultClient.CloseIdleConnections()
}

// A process ends at its first failure, which is the only one that is waited for. What fails besides has to end all the same.
func TestAComponentEndsAlsoWhenAnotherHasFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Stack{ctx: t.Context(), failed: make(chan error, 1)}
		broken := errors.New("broken")
		var ends []func() error
		for range 2 {
			ends = append(ends, s.background(func(context.Context) error { return broken }))
		}
		synctest.Wait() // until both have failed
		for i, end := range ends {
			if err := end(); !errors.Is(err, broken) {
				t.Errorf("component %d ends with %v", i, err)
			}
		}
	})
}
