package sandbox_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// held is a sandbox with a manual clock in which some operations are delayed, and a payment that waits to be fetched.
type held struct {
	*sandbox.Sandbox
	t   *testing.T
	ref string
}

func hold(t *testing.T, cfg sandbox.Config, faults map[string][]sandbox.Fault) *held {
	t.Helper()
	s, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := &held{s, t, issued(s)}
	h.must(s.Pay(h.ref))
	h.must(s.SetFaults(faults))
	return h
}

func (h *held) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Error(err)
	}
}

// begin starts a call, and returns when it waits for the clock. The channel gives the answer, empty if the connection was dropped.
func (h *held) begin(ctx context.Context, op, children string) chan string {
	answer := make(chan string, 1)
	go func() {
		out := httptest.NewRecorder()
		defer func() {
			if recover() != nil {
				out.Body.Reset()
			}
			answer <- out.Body.String()
		}()
		h.ServeHTTP(out, httptest.NewRequest("POST", service, strings.NewReader(envelope(op, children))).WithContext(ctx))
	}()
	synctest.Wait()
	return answer
}

func (h *held) asks() chan string {
	return h.begin(h.t.Context(), "getPaymentStatus", shop+named(h.ref)+"<invoiceVersion>0</invoiceVersion>")
}

func delays(op string, d time.Duration) map[string][]sandbox.Fault {
	return map[string][]sandbox.Fault{op: {{Kind: sandbox.FaultDelay, Delay: d}}}
}

func TestDelayedCallIsMadeAtItsOwnInstant(t *testing.T) {
	for _, c := range []struct {
		delay    time.Duration
		status   string
		reversed int
	}{
		{2 * time.Second, "PAID", 0},
		{20*time.Second - 1, "PAID", 0},
		{20 * time.Second, "CANCELED", 1}, // as for a call that is made when the clock is there
		{25 * time.Second, "CANCELED", 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := hold(t, manual(), delays("getPaymentStatus", c.delay))
			answer := h.asks()
			h.Advance(25 * time.Second)
			if got := <-answer; !strings.Contains(got, "<status>"+c.status+"<") {
				t.Errorf("after %s: %s", c.delay, got)
			}
			l := h.Ledger()
			if len(l.Reversals) != c.reversed || c.reversed == 0 && !l.Payments[0].FetchedAt.Equal(start.Add(c.delay)) {
				t.Errorf("after %s: %+v", c.delay, l)
			}
			h.must(h.Close())
		})
	}
}

// What is due at the same instant happens before delayed calls, also where those began before it was due.
func TestDelayedCallsComeAfterWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t, manual(), delays("getPaymentStatus", 20*time.Second))
		h.ref = issued(h.Sandbox)
		one, two := h.asks(), h.asks()
		h.must(h.Pay(h.ref))
		h.Advance(20 * time.Second)
		for _, answer := range []chan string{one, two} {
			if got := <-answer; !strings.Contains(got, "<status>CANCELED<") {
				t.Error(got)
			}
		}
		h.must(h.Close())
	})
}

// Calls of one instant are performed in the order in which they came.
func TestDelayedCallsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t, manual(), delays("cancelInvoice", time.Second))
		ref := issued(h.Sandbox)
		var answers []chan string
		for range 5 {
			answers = append(answers, h.begin(t.Context(), "cancelInvoice", shop+named(ref)))
		}
		h.Advance(time.Second)
		for i, answer := range answers {
			want := map[bool]string{true: "<resultCode>0<", false: "<resultCode>95<"}[i == 0]
			if got := <-answer; !strings.Contains(got, want) {
				t.Errorf("call %d: %s", i, got)
			}
		}
		h.must(h.Close())
	})
}

func TestTwoAdvancesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t, manual(), delays("getPaymentStatus", 2*time.Second))
		answer := h.asks()
		over := make(chan struct{}, 2)
		for range 2 {
			go func() { h.Advance(25 * time.Second); over <- struct{}{} }()
		}
		<-over
		<-over
		if got := <-answer; !strings.Contains(got, "<status>PAID<") || len(h.Ledger().Reversals) != 0 {
			t.Error(got)
		}
		if now := h.Now(); !now.Equal(start.Add(50 * time.Second)) {
			t.Errorf("it is %s", now)
		}
		h.must(h.Close())
	})
}

// OnInvoice is called at the invoice's own instant.
func TestOnInvoiceOfADelayedCallPays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h *held
		cfg := manual()
		cfg.OnInvoice = func(ref, _, _ string) {
			if h != nil {
				h.must(h.Pay(ref))
			}
		}
		h = hold(t, cfg, delays("sendInvoice", 2*time.Second))
		answer := h.begin(t.Context(), "sendInvoice", shop+invoiceOf("7"))
		h.Advance(10 * time.Second)
		if got := <-answer; !strings.Contains(got, "<resultCode>0<") {
			t.Error(got)
		}
		if paid := h.Ledger().Payments[1]; !paid.At.Equal(start.Add(2 * time.Second)) {
			t.Errorf("%+v", paid)
		}
		h.must(h.Close())
	})
}

func TestAdvanceOutlivesTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t, manual(), delays("getPaymentStatus", 2*time.Second))
		ctx, hangUp := context.WithCancel(t.Context())
		answer := h.begin(ctx, "getPaymentStatus", shop+named(h.ref))
		hangUp()
		h.Advance(25 * time.Second)
		if got := <-answer; !strings.Contains(got, "<status>PAID<") {
			t.Error(got)
		}
		h.must(h.Close())
	})
}

func TestAdvanceIsOverForCallsThatFail(t *testing.T) {
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.FaultHTTP500}, {Kind: sandbox.FaultSOAP}, {Kind: sandbox.FaultDropBefore},
		{Kind: sandbox.FaultDropAfter}, {Kind: sandbox.FaultResultCode, Code: 93}, {Kind: sandbox.FaultResultCodeAfter, Code: 90},
	} {
		synctest.Test(t, func(t *testing.T) {
			faults := delays("getPaymentStatus", 2*time.Second)
			faults["*"] = []sandbox.Fault{f}
			h := hold(t, manual(), faults)
			answer := h.asks()
			h.Advance(25 * time.Second)
			<-answer
			after := f.Kind == sandbox.FaultDropAfter || f.Kind == sandbox.FaultResultCodeAfter
			if fetched := len(h.Ledger().Reversals) == 0; fetched != after {
				t.Errorf("%s: fetched %v", f.Kind, fetched)
			}
			h.must(h.Close())
		})
	}
}

func TestCloseEndsAnAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h *held
		release := make(chan struct{})
		cfg := manual()
		cfg.OnInvoice = func(string, string, string) {
			if h != nil {
				<-release
			}
		}
		h = hold(t, cfg, delays("sendInvoice", 2*time.Second))
		answer := h.begin(t.Context(), "sendInvoice", shop+invoiceOf("7"))
		over := make(chan struct{})
		go func() { h.Advance(25 * time.Second); close(over) }()
		synctest.Wait()
		select {
		case <-over:
			t.Error("the clock did not wait for who was told of the invoice")
		default:
		}
		h.must(h.Close())
		<-over
		close(release)
		<-answer
	})
}

// stuckWriter is a client that does not read its answer yet.
type stuckWriter struct {
	http.ResponseWriter
	reads chan struct{}
}

func (w stuckWriter) Write(b []byte) (int, error) {
	<-w.reads
	return w.ResponseWriter.Write(b)
}

func TestAdvanceDoesNotWaitForAnswersToBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t, manual(), delays("getPaymentStatus", 2*time.Second))
		w := stuckWriter{httptest.NewRecorder(), make(chan struct{})}
		over := make(chan struct{})
		go func() {
			h.ServeHTTP(w, httptest.NewRequest("POST", service, strings.NewReader(envelope("getPaymentStatus", shop+named(h.ref)))))
			close(over)
		}()
		synctest.Wait()
		h.Advance(25 * time.Second)
		if len(h.Ledger().Reversals) != 0 {
			t.Error("the payment was reversed")
		}
		close(w.reads)
		<-over
		h.must(h.Close())
	})
}

func issued(s *sandbox.Sandbox) string {
	tell := httptest.NewRecorder()
	s.ServeHTTP(tell, httptest.NewRequest("POST", service, strings.NewReader(envelope("sendInvoice", shop+invoiceOf("100.00")))))
	_, ref, _ := strings.Cut(tell.Body.String(), "<invoiceReference>")
	ref, _, _ = strings.Cut(ref, "<")
	return ref
}
