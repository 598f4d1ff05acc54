package calls_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func answered(code seqr.ResultCode) error { return answeredTo("cancelInvoice", code) }

func answeredTo(operation string, code seqr.ResultCode) error {
	return fmt.Errorf("call: %w", &seqr.Error{Operation: operation, Sent: seqr.Answered, Code: code})
}

func TestOutcomeOfRepeatableCalls(t *testing.T) {
	unreachable := &seqr.Error{Sent: seqr.NotSent, Err: errors.New("refused")}
	lost := &seqr.Error{Sent: seqr.MaybeSent, Err: errors.New("reset")}
	fault := &seqr.Error{Sent: seqr.MaybeSent, Err: &seqr.Fault{Code: "Server", Text: "no"}}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"done", nil, "done"},
		{"not sent: the provider is waited for", unreachable, "unanswered"},
		{"no answer: the provider is waited for", lost, "unanswered"},
		{"a SOAP fault: a bounded number of attempts", fault, "error"},
		{"SYSTEM_ERROR: a bounded number of attempts", answered(seqr.SystemError), "error"},
		{"SYSTEM_BUSY: it is an answer", answered(seqr.SystemBusy), "busy"},
		{"REPORT_NOT_READY", answeredTo("executeReport", seqr.ReportNotReady), "busy"},
		{"a code that cancelInvoice is not known to give: a bounded number of attempts", answered(123), "error"},
		{"refused", answered(seqr.InvalidInvoiceReference), "park"},
		{"wrong password", answered(seqr.AuthenticationFailed), "park"},
	} {
		if o := calls.OutcomeOf(c.err); o.Label() != c.want {
			t.Errorf("%s: %s (%v); want %s", c.name, o.Label(), o.Err(), c.want)
		}
	}
}

func TestCallOfAnEvent(t *testing.T) {
	if c := calls.Of("sendInvoice", time.Now(), nil); c.Outcome != "answered" || *c.Code != 0 {
		t.Errorf("%+v", c)
	}
	if c := calls.Of("sendInvoice", time.Now(), answered(49)); c.Outcome != "answered" || *c.Code != 49 || c.Description != "INVALID_INVOICE_DATA" {
		t.Errorf("%+v", c)
	}
	if c := calls.Of("sendInvoice", time.Now(), &seqr.Error{Sent: seqr.NotSent, Err: errors.New("refused")}); c.Outcome != "not sent" || c.Code != nil {
		t.Errorf("%+v", c)
	}
	if c := calls.Of("sendInvoice", time.Now(), errors.New("anything")); c.Outcome != "maybe sent" || c.Code != nil {
		t.Errorf("%+v", c)
	}
}
