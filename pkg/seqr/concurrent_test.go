package seqr_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// TestConcurrentCallsDoNotMix: calls share memory one after another, never at once.
func TestConcurrentCallsDoNotMix(t *testing.T) {
	reference := regexp.MustCompile("<invoiceReference>(.*)</invoiceReference>")
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		request, _ := io.ReadAll(r.Body)
		asked := reference.FindSubmatch(request)[1]
		_, _ = io.WriteString(w, answerTo("getPaymentStatus", fmt.Sprintf("<ersReference>%s</ersReference><resultCode>0</resultCode><status>PAID</status>"+
			"<receipt><receiverName>&#65;%[1]s</receiverName></receipt>", asked)))
	})
	c := newClient(t, seqr.Config{Endpoint: s.URL})
	var all sync.WaitGroup
	for caller := range 8 {
		all.Go(func() {
			for n := range 50 {
				ref := strings.Repeat(fmt.Sprintf("%d-%d.", caller, n), 1+n)
				p, err := c.GetPaymentStatus(t.Context(), seqr.GetPaymentStatus{As: till(), InvoiceReference: ref})
				if err != nil || p.ErsReference != ref || p.Receipt.ReceiverName != "A"+ref {
					t.Errorf("asked for %s, got %+v, %v", ref, p, err)
				}
			}
		})
	}
	all.Wait()
}

// TestAnswerBeforeTheRequestWasRead: the transport may still be writing when the answer is there; the
// request's memory must not be another call's by then.
func TestAnswerBeforeTheRequestWasRead(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, answerTo("submitPaymentReceipt", "<resultCode>23</resultCode>"))
		w.(http.Flusher).Flush()
		request, err := io.ReadAll(r.Body)
		if err == nil && !strings.HasSuffix(string(request), "</soapenv:Envelope>") {
			t.Errorf("the request arrived as …%q", request[max(0, len(request)-80):])
		}
	})
	c := newClient(t, seqr.Config{Endpoint: s.URL})
	for range 10 {
		err := c.SubmitPaymentReceipt(t.Context(), seqr.SubmitPaymentReceipt{As: till(), ErsReference: ers,
			Document: &seqr.ReceiptDocument{Data: make([]byte, 40<<10)}})
		if code, ok := seqr.CodeOf(err); !ok || code != seqr.InvalidErsReference {
			t.Error(err)
		}
	}
}
