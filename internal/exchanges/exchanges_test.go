package exchanges_test

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/exchanges"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestExchangesOfAnInvoiceAreKeptWithoutSecrets(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	k := events.KeyOf("acme", "1001")
	if _, err := exchanges.Of(t.Context(), r.Bus, k); !errors.Is(err, exchanges.ErrOff) {
		t.Fatalf("before anything is kept: %v", err)
	}
	rec := exchanges.Start(t.Context(), r.Bus, r.Log)
	c, err := seqr.New(seqr.Config{Endpoint: r.Server.URL + "/extclientproxy/service/v2", ClientID: "Rig AB", ClientReference: "rig/1", Recorder: rec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	as := seqr.Terminal("demo-terminal", "demo-secret")
	ctx := seqr.WithAbout(t.Context(), k.String())
	sent, err := c.SendInvoice(ctx, seqr.SendInvoice{As: as, Invoice: seqr.Invoice{ClientInvoiceID: "1001", Total: seqr.Amount{Currency: "SEK", Value: rig.Amount("10").Decimal()}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: as, InvoiceReference: sent.Reference}); err != nil {
		t.Fatal(err)
	}
	if err := c.CancelInvoice(ctx, seqr.CancelInvoice{As: seqr.Terminal("demo-terminal", "wrong-secret"), InvoiceReference: sent.Reference}); err == nil {
		t.Fatal("a wrong password was taken")
	}
	if err := c.BenchmarkingNop(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec.Close()
	all, err := exchanges.Of(t.Context(), r.Bus, k)
	if err != nil || len(all) != 2 || all[0].Operation != "sendInvoice" || all[1].Operation != "cancelInvoice" || *all[0].Code != 0 || *all[1].Code != 20 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, e := range all {
		if strings.Contains(e.Request+e.Response+e.Error, "-secret") || !strings.Contains(e.Request, "<password>***</password>") || e.Response == "" {
			t.Errorf("%s: %s\n%s", e.Operation, e.Request, e.Response)
		}
	}
}

// A worker that is not drained in time goes on with its call while the process ends.
func TestACallThatEndsAfterTheRecorderIsLeftOut(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	rec := exchanges.Start(t.Context(), r.Bus, r.Log)
	rec.Close()
	rec.Record(seqr.Exchange{About: "acme/1001", Operation: "cancelInvoice"})
	if all, err := exchanges.Of(t.Context(), r.Bus, events.KeyOf("acme", "1001")); err != nil || len(all) > 0 {
		t.Errorf("%d exchanges, %v", len(all), err)
	}
}
