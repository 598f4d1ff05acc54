package sandbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

func (p *provider) faults(list map[string][]sandbox.Fault) {
	p.t.Helper()
	p.must(p.SetFaults(list))
}

func one(f sandbox.Fault) []sandbox.Fault {
	if f.Count == 0 {
		f.Count = 1
	}
	return []sandbox.Fault{f}
}

func TestFaultsAndTheirEffects(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  sandbox.Fault
		effect bool
		check  func(status int, body string, err error) bool
	}{
		{"http500", sandbox.Fault{Kind: sandbox.FaultHTTP500}, false,
			func(status int, body string, err error) bool {
				return status == 500 && !strings.Contains(body, "Envelope")
			}},
		{"fault", sandbox.Fault{Kind: sandbox.FaultSOAP}, false,
			func(status int, body string, err error) bool {
				return status == 500 && strings.Contains(body, "soap:Server")
			}},
		{"dropBefore", sandbox.Fault{Kind: sandbox.FaultDropBefore}, false,
			func(status int, body string, err error) bool { return err != nil }},
		{"dropAfter", sandbox.Fault{Kind: sandbox.FaultDropAfter}, true,
			func(status int, body string, err error) bool { return err != nil }},
		{"resultCode", sandbox.Fault{Kind: sandbox.FaultResultCode, Code: 93}, false,
			func(status int, body string, err error) bool {
				return strings.Contains(body, "<resultCode>93</resultCode>") && strings.Contains(body, "SYSTEM_BUSY")
			}},
		{"resultCodeAfter", sandbox.Fault{Kind: sandbox.FaultResultCodeAfter, Code: 90}, true,
			func(status int, body string, err error) bool {
				return strings.Contains(body, "<resultCode>90</resultCode>") && !strings.Contains(body, "ersReference")
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := serve(t, manual())
			_, ers := p.paid(shop, "10")
			p.faults(map[string][]sandbox.Fault{"refundPayment": one(c.fault)})
			p.want(0, "sendInvoice", shop+invoiceOf("1")) // another operation is left alone
			status, body, err := p.post(service, "text/xml", envelope("refundPayment", shop+payment(ers)+invoiceOf("10")))
			if !c.check(status, body, err) {
				t.Errorf("answered %d %s %v", status, body, err)
			}
			if got := len(p.Ledger().Refunds) == 1; got != c.effect {
				t.Errorf("effect %v, want %v", got, c.effect)
			}
			again := map[bool]int{true: 98, false: 0}[c.effect]
			p.want(again, "refundPayment", shop+payment(ers)+invoiceOf("10"))
			if left := p.Faults(); len(left) != 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

// The first PAID may be lost on the way, and is the acknowledgement all the same.
func TestAcknowledgementWhoseAnswerIsLost(t *testing.T) {
	p := serve(t, manual())
	ref := p.issue(shop, "5")
	p.must(p.Pay(ref))
	p.faults(map[string][]sandbox.Fault{"getPaymentStatus": one(sandbox.Fault{Kind: sandbox.FaultDropAfter})})
	if _, _, err := p.post(service, "text/xml", envelope("getPaymentStatus", shop+named(ref)+"<invoiceVersion>0</invoiceVersion>")); err == nil {
		t.Fatal("the connection was not dropped")
	}
	p.Advance(time.Minute)
	if a := p.status(shop, ref); a.Status != "PAID" {
		t.Errorf("%+v", a)
	}
}

func TestSkipAndCount(t *testing.T) {
	p := serve(t, manual())
	p.faults(map[string][]sandbox.Fault{
		"benchmarkingNop": {{Kind: sandbox.FaultResultCode, Code: 93, Skip: 1, Count: 2}},
		"*":               {{Kind: sandbox.FaultResultCode, Code: 94, Skip: 1, Count: 1}},
	})
	// The operation's own faults come first; a call they hit does not count for those of all.
	for i, want := range []int{0, 93, 93, 94, 0} {
		if a := p.call("benchmarkingNop", ""); a.Code != want {
			t.Errorf("call %d: %d, want %d", i+1, a.Code, want)
		}
	}
	p.faults(map[string][]sandbox.Fault{"*": {{Kind: sandbox.FaultResultCode, Code: 94}}})
	for range 3 {
		p.want(94, "benchmarkingNop", "")
	}
	p.faults(nil)
	p.want(0, "benchmarkingNop", "")
}

func TestProbabilityComesFromTheSeed(t *testing.T) {
	run := func(seed uint64) string {
		cfg := manual()
		cfg.Seed = seed
		p := serve(t, cfg)
		p.faults(map[string][]sandbox.Fault{"*": {{Kind: sandbox.FaultResultCode, Code: 94, Probability: 0.5}}})
		var b strings.Builder
		for range 40 {
			b.WriteByte("0x"[min(1, p.call("benchmarkingNop", "").Code)])
		}
		return b.String()
	}
	one, again, two := run(1), run(1), run(2)
	if one != again {
		t.Errorf("one seed, two stories:\n%s\n%s", one, again)
	}
	if one == two {
		t.Errorf("two seeds, one story: %s", one)
	}
	if n := strings.Count(one, "x"); n < 8 || n > 32 {
		t.Errorf("%d of 40 hit", n)
	}
}

func nop(s *sandbox.Sandbox) chan int {
	done := make(chan int, 1)
	go func() {
		out := httptest.NewRecorder()
		s.ServeHTTP(out, httptest.NewRequest("POST", service, strings.NewReader(envelope("benchmarkingNop", ""))))
		done <- out.Code
	}()
	return done
}

func TestDelayIsOnTheManualClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := sandbox.New(manual())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetFaults(map[string][]sandbox.Fault{"*": {{Kind: sandbox.FaultDelay, Delay: 10 * time.Second}}}); err != nil {
			t.Fatal(err)
		}
		done := nop(s)
		synctest.Wait()
		s.Advance(10*time.Second - time.Millisecond)
		time.Sleep(time.Hour) // of no interest to a manual clock
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("answered too early")
		default:
		}
		s.Advance(time.Millisecond)
		if code := <-done; code != 200 {
			t.Errorf("answered %d", code)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestDelayIsOnTheRealClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := sandbox.New(sandbox.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetFaults(map[string][]sandbox.Fault{"*": {{Kind: sandbox.FaultDelay, Delay: 10 * time.Second}}}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if code := <-nop(s); code != 200 || time.Since(began) != 10*time.Second {
			t.Errorf("answered %d after %v", code, time.Since(began))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// delayed starts a sendInvoice that an hour's delay holds up; over gives what the handler panicked with, or nil.
func delayed(t *testing.T, ctx context.Context) (s *sandbox.Sandbox, over chan any) {
	t.Helper()
	s, err := sandbox.New(manual())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetFaults(map[string][]sandbox.Fault{"*": {{Kind: sandbox.FaultDelay, Delay: time.Hour}}}); err != nil {
		t.Fatal(err)
	}
	over = make(chan any, 1)
	go func() {
		defer func() { over <- recover() }()
		req := httptest.NewRequest("POST", service, strings.NewReader(envelope("sendInvoice", shop+invoiceOf("5"))))
		s.ServeHTTP(httptest.NewRecorder(), req.WithContext(ctx))
	}()
	synctest.Wait()
	return s, over
}

// Close does not wait for a clock that is not moved.
func TestCloseEndsDelayedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, over := delayed(t, t.Context())
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := <-over; got != http.ErrAbortHandler {
			t.Errorf("the call ended with %v", got)
		}
		if n := len(s.Ledger().Invoices); n != 0 {
			t.Errorf("%d invoices", n)
		}
	})
}

// A client that gives up does not undo what it asked for.
func TestClientThatGivesUpHasItsEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, hangUp := context.WithCancel(t.Context())
		s, over := delayed(t, ctx)
		hangUp()
		if got := <-over; got != nil {
			t.Errorf("the call ended with %v", got)
		}
		if n := len(s.Ledger().Invoices); n != 1 {
			t.Errorf("%d invoices", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestFaultsOverHTTP(t *testing.T) {
	p := serve(t, manual())
	good := `{"getPaymentStatus":[{"kind":"delay","delay":"2s","probability":0.5,"count":3},{"kind":"resultCode","code":93,"skip":1}],"*":[{"kind":"http500"}]}`
	status, body := p.do("PUT", "/faults", "application/json", good)
	var put, got any
	if status != 200 || json.Unmarshal([]byte(body), &put) != nil {
		t.Fatalf("%d %s", status, body)
	}
	_, body = p.get("/faults")
	if err := json.Unmarshal([]byte(body), &got); err != nil || !strings.Contains(body, `"delay":"2s"`) || !strings.Contains(body, `"skip":1`) {
		t.Errorf("%v %s", err, body)
	}
	if status, body := p.do("POST", "/faults", "", ""); status != 405 {
		t.Errorf("POST: %d %s", status, body)
	}
	for _, c := range []struct{ body, part string }{
		{`[]`, "the body must be"},
		{`{"sendMoney":[{"kind":"http500"}]}`, "sendMoney: there is no such operation"},
		{`{"sendInvoice":[{"kind":"http500"},{"kind":"boom"}]}`, `sendInvoice[1].kind: "boom"`},
		{`{"sendInvoice":[{}]}`, "sendInvoice[0].kind"},
		{`{"sendInvoice":[{"kind":"resultCode"}]}`, "sendInvoice[0].code"},
		{`{"sendInvoice":[{"kind":"http500","code":3}]}`, "sendInvoice[0].code"},
		{`{"sendInvoice":[{"kind":"delay"}]}`, "sendInvoice[0].delay"},
		{`{"sendInvoice":[{"kind":"delay","delay":"soon"}]}`, "sendInvoice[0].delay"},
		{`{"sendInvoice":[{"kind":"delay","delay":"-1s"}]}`, "sendInvoice[0].delay"},
		{`{"sendInvoice":[{"kind":"http500","delay":"1s"}]}`, "sendInvoice[0].delay"},
		{`{"sendInvoice":[{"kind":"http500","count":-1}]}`, "sendInvoice[0].count"},
		{`{"sendInvoice":[{"kind":"http500","skip":-1}]}`, "sendInvoice[0].skip"},
		{`{"sendInvoice":[{"kind":"http500","probability":1.1}]}`, "sendInvoice[0].probability"},
		{`{"sendInvoice":[{"kind":"http500","probability":0}]}`, "sendInvoice[0].probability"},
		{`{"sendInvoice":[{"kind":"http500","times":2}]}`, "times"},
		{`{"cancelInvoice":[{"kind":"duplicateNotification"}]}`, "cancelInvoice[0].kind"},
	} {
		status, body := p.do("PUT", "/faults", "application/json", c.body)
		var problem struct{ Error string }
		if status != 400 || json.Unmarshal([]byte(body), &problem) != nil || !strings.Contains(problem.Error, c.part) {
			t.Errorf("PUT %s: %d %s, want %q", c.body, status, body, c.part)
		}
	}
	if left := p.Faults(); len(left) != 2 {
		t.Errorf("refused faults changed those that are on: %v", left)
	}
	if status, _ := p.do("PUT", "/faults", "", "{}"); status != 200 || len(p.Faults()) != 0 {
		t.Errorf("{} does not turn all off: %d %v", status, p.Faults())
	}
}
