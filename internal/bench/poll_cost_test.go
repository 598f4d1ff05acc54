package bench

import (
	"net/http/httptest"
	"testing"

	"github.com/govalues/decimal"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// TestCostOfOneStatusCall counts what a getPaymentStatus call allocates in the client and in the sandbox, with both halves of HTTP: about 255
// objects. Unlike processor time this does not depend on the machine. What is added to every poll (a record, a log line, a second
// reading of the message) shows here. The race detector adds some, because it has pools forget.
func TestCostOfOneStatusCall(t *testing.T) {
	const most = 300
	sb, err := sandbox.New(sandbox.Config{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}()
	server := httptest.NewServer(sb)
	defer server.Close()
	client, err := newClient(server.URL + sandbox.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdle()
	id, password := demoTerminal()
	as := seqr.Terminal(id, password)
	total := seqr.Amount{Value: decimal.MustNew(9900, 2), Currency: "SEK"}
	sent, err := client.SendInvoice(t.Context(), seqr.SendInvoice{As: as, Invoice: seqr.Invoice{Title: "Coffee", Total: total}})
	if err != nil {
		t.Fatal(err)
	}
	objects := testing.AllocsPerRun(200, func() {
		st, err := client.GetPaymentStatus(t.Context(), seqr.GetPaymentStatus{As: as, InvoiceReference: sent.Reference})
		if err != nil || st.Status != seqr.StatusIssued {
			t.Fatal(st.Status, err)
		}
	})
	if objects > most {
		t.Errorf("a status call allocates %.0f objects, which are more than %d", objects, most)
	}
}
