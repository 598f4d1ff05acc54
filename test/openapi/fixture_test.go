package openapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/orderapi"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/gateway"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/refunder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "canary-token-of-the-shop"

// system is a gateway with the API, and everything behind it but the receipter: so an order that is paid stays PAID.
type system struct {
	*rig.Rig
	url string
}

func start(t *testing.T, c orderapi.Config) system {
	t.Helper()
	r := rig.New(t, sandbox.Config{})
	r.Run(invoicer.New(invoicer.Config{Bus: r.Bus, Provider: r.Client, Shops: rig.Shops{}, ValidFor: time.Minute, Log: r.Log}))
	r.Run(poller.New(poller.Config{Bus: r.Bus, Provider: r.Client, Shops: rig.Shops{}, Interval: 100 * time.Millisecond, Log: r.Log}))
	r.Run(canceler.New(canceler.Config{Bus: r.Bus, Provider: r.Client, Shops: rig.Shops{}}))
	r.Run(refunder.New(refunder.Config{Bus: r.Bus, Provider: r.Client, Shops: rig.Shops{}}))
	return serve(r, c)
}

// serve starts a gateway with the API.
func serve(r *rig.Rig, c orderapi.Config) system {
	t := r.T
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Bus == nil {
		c.Bus, c.Log = r.Bus, r.Log
	}
	c.Hub = orderview.NewHub(r.Bus, r.Log)
	r.Run(c.Hub)
	c.CheckoutURL = func(shop, order string) string {
		return "https://pay.example.com/pay/" + shop + "/" + order + "?key=Zm9v"
	}
	c.Connections = connections.File{Connections: map[string]connections.Connection{rig.Shop: {APIToken: []string{file}}}}
	api, err := orderapi.New(c)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{Bus: r.Bus, API: api, Connections: c.Connections, Log: r.Log})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	return system{r, srv.URL}
}

func withToken(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", "Bearer "+token)
	return nil
}

func ptr[T any](v T) *T { return &v }
