package seqr_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// TestSilentTerminalDelaysNoOther: while 300 calls of one terminal wait for answers that do not come, a
// call of another terminal is answered. The limit on connections is no queue that they share.
func TestSilentTerminalDelaysNoOther(t *testing.T) {
	const silent = 300
	for name, ask := range map[string]func(context.Context, *seqr.Client, seqr.Principal) error{
		"getPaymentStatus": func(ctx context.Context, c *seqr.Client, as seqr.Principal) error {
			_, err := c.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: as, InvoiceReference: "1"})
			return err
		},
		"refundPayment": func(ctx context.Context, c *seqr.Client, as seqr.Principal) error {
			_, err := c.RefundPayment(ctx, seqr.RefundPayment{As: as, ErsReference: ers, Invoice: seqr.Invoice{Total: sek("1.00")}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan struct{}, silent)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				request, _ := io.ReadAll(r.Body)
				if strings.Contains(string(request), "<id>silent</id>") {
					arrived <- struct{}{}
					<-r.Context().Done()
					return
				}
				_, _ = io.WriteString(w, answerTo(name, "<resultCode>0</resultCode><status>ISSUED</status>"))
			})
			c := newClient(t, seqr.Config{Endpoint: s.URL, Timeout: time.Minute})
			hung, hangUp := context.WithCancel(t.Context())
			ended := make(chan error, silent)
			for range silent {
				go func() { ended <- ask(hung, c, seqr.Terminal("silent", "password")) }()
			}
			defer func() {
				hangUp()
				for range silent {
					if err := <-ended; !errors.Is(err, context.Canceled) {
						t.Errorf("a silent call ended early: %v", err)
					}
				}
			}()
			patience := time.After(2 * time.Minute)
			for n := range silent {
				select {
				case <-arrived:
				case <-patience:
					t.Fatalf("only %d of %d calls were made at once", n, silent)
				}
			}
			if err := ask(t.Context(), c, seqr.Terminal("healthy", "password")); err != nil {
				t.Error(err)
			}
			if len(ended) > 0 {
				t.Errorf("%d of the silent calls had ended by then", len(ended))
			}
		})
	}
}
