package seqr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func TestEveryCodeHasAName(t *testing.T) {
	named := 0
	for code := -1; code <= 200; code++ {
		if !strings.HasPrefix(seqr.ResultCode(code).String(), "RESULT_CODE_") {
			named++
		}
	}
	if named != 56 {
		t.Errorf("%d codes have names", named)
	}
}

func TestClassify(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want seqr.Class
	}{
		"no error":           {nil, seqr.Done},
		"of another package": {errors.New("x"), seqr.Unknown},
		"zero value":         {&seqr.Error{}, seqr.Unknown},
		"maybe sent, code":   {&seqr.Error{Sent: seqr.MaybeSent, Code: seqr.SystemBusy}, seqr.Unknown},
		"not sent":           {&seqr.Error{Sent: seqr.NotSent}, seqr.TryAgain},
		"refused":            {&seqr.Error{Operation: "sendInvoice", Sent: seqr.Answered, Code: seqr.RejectedPayment}, seqr.Refused},
		"joined with others": {errors.Join(errors.New("x"), &seqr.Error{Sent: seqr.NotSent}), seqr.TryAgain},
	} {
		if got := seqr.Classify(c.err); got != c.want {
			t.Errorf("%s: expected %v, got %v", name, c.want, got)
		}
	}
}

func TestCodeOf(t *testing.T) {
	if code, ok := seqr.CodeOf(fmt.Errorf("x: %w", &seqr.Error{Sent: seqr.Answered, Code: seqr.InvoiceAlreadyCanceled})); !ok || code != 95 {
		t.Errorf("got %v, %v", code, ok)
	}
	for _, err := range []error{nil, errors.New("x"), &seqr.Error{Code: 95}, &seqr.Error{Sent: seqr.NotSent, Code: 95}} {
		if code, ok := seqr.CodeOf(err); ok {
			t.Errorf("%v has code %v", err, code)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]*seqr.Error{
		"seqr: cancelInvoice: refused: 50 CANNOT_CANCEL_PAID_INVOICE (too late)": {
			Operation: "cancelInvoice", Sent: seqr.Answered, HTTPStatus: 200, Code: seqr.CannotCancelPaidInvoice, Description: "too late"},
		"seqr: executeReport: try later: 2 REPORT_NOT_READY": {
			Operation: "executeReport", Sent: seqr.Answered, Code: seqr.ReportNotReady, Description: "REPORT_NOT_READY"},
		"seqr: refundPayment: outcome unknown: 77 RESULT_CODE_77":               {Operation: "refundPayment", Sent: seqr.Answered, Code: 77},
		"seqr: refundPayment: outcome unknown: maybe sent: HTTP 502: no answer": {Operation: "refundPayment", HTTPStatus: 502, Err: errors.New("no answer")},
		"seqr: sendInvoice: try again: not sent: connection refused":            {Operation: "sendInvoice", Sent: seqr.NotSent, Err: errors.New("connection refused")},
	} {
		if got := err.Error(); got != want {
			t.Errorf("expected %q, got %q", want, got)
		}
	}
}

func TestLongDescriptionsAreCut(t *testing.T) {
	s := answering(t, 200, answerTo("cancelInvoice", "<resultCode>12</resultCode><resultDescription>"+strings.Repeat("ö", 5000)+"</resultDescription>"))
	err := cancelOne(t.Context(), newClient(t, seqr.Config{Endpoint: s.URL}))
	if n := len(err.Error()); seqr.Classify(err) != seqr.Refused || n > 700 {
		t.Errorf("%v error of %d bytes", seqr.Classify(err), n)
	}
}

func TestQRLink(t *testing.T) {
	for want, got := range map[string]string{
		"SEQR://SEQR.SE/R1357902468013":       seqr.QRLink("1357902468013", false),
		"SEQR-DEBUG://SEQR.SE/R1357902468013": seqr.QRLink("1357902468013", true),
		"HTTP://SEQR.SE/R1357902468013":       seqr.QRCode("1357902468013"),
		"HTTP://SEQR.SE/QAB12":                seqr.StaticQRCode("AB12"),
	} {
		if got != want {
			t.Errorf("expected %s, got %s", want, got)
		}
	}
}
