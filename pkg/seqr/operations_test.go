package seqr_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// decided is what every code means to every operation: the class, and after a space the one question that is
// answered yes. A code that is not here, known to the protocol or not, leaves the outcome unknown.
var decided = map[string]map[string][]int{
	"sendInvoice": {
		"refused":   {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 49, 52, 64, 91},
		"try again": {48},
	},
	"updateInvoice": {
		"refused":                     {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 49, 52, 64, 91},
		"refused IsUnknownInvoice":    {54},
		"refused IsExpired":           {58},
		"try again":                   {48},
		"try again IsBuyerConfirming": {51},
	},
	"getPaymentStatus": {
		"refused IsUnknownInvoice":  {54},
		"refused IsAlreadyCanceled": {55, 95},
		"refused IsExpired":         {58},
		"try again":                 {48},
	},
	"cancelInvoice": {
		"refused":                     {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 55, 91},
		"refused IsAlreadyPaid":       {50},
		"refused IsUnknownInvoice":    {54},
		"refused IsExpired":           {58},
		"refused IsAlreadyCanceled":   {95},
		"try again":                   {48},
		"try again IsBuyerConfirming": {51},
	},
	"commitReservation": {
		"refused":                  {10, 11, 12, 49, 91, 96},
		"refused IsUnknownInvoice": {54},
	},
	"submitPaymentReceipt": {
		"refused":                  {10, 11, 12, 13, 23, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 49, 52, 91},
		"refused IsUnknownInvoice": {54},
		"try again":                {48},
	},
	"refundPayment": {
		"refused":                  {10, 11, 12, 23, 49, 64, 91, 97, 99},
		"refused IsUnknownInvoice": {54},
		"refused IsRefundLimit":    {98},
	},
	"registerTerminal": {
		"refused": {10, 11, 12, 13, 22, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 56, 57, 91},
	},
	"unregisterTerminal": {
		"refused": {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 91},
	},
	"assignSeqrId": {
		"refused": {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 53, 91},
	},
	"markTransactionPeriod": {
		"refused": {10, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 91},
	},
	"executeReport": {
		"refused":              {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 91},
		"try later IsNotReady": {2},
	},
	"benchmarkingNop":  {"refused": {91}},
	"a later addition": {"refused": {91}},
	"":                 {"refused": {91}},
}

// decidedForAll goes for every operation.
var decidedForAll = map[string][]int{
	"done":                      {0},
	"refused IsCredentialError": {20, 21, 29, 33, 37, 92},
	"try again IsUnanswered":    {93, 94},
}

var questions = map[string]func(error) bool{
	"IsCredentialError": seqr.IsCredentialError,
	"IsUnknownInvoice":  seqr.IsUnknownInvoice,
	"IsAlreadyPaid":     seqr.IsAlreadyPaid,
	"IsAlreadyCanceled": seqr.IsAlreadyCanceled,
	"IsExpired":         seqr.IsExpired,
	"IsBuyerConfirming": seqr.IsBuyerConfirming,
	"IsRefundLimit":     seqr.IsRefundLimit,
	"IsNotReady":        seqr.IsNotReady,
	"IsUnanswered":      seqr.IsUnanswered,
}

// verdict is the class of an error and every question that is answered yes.
func verdict(err error) string {
	text := seqr.Classify(err).String()
	for _, name := range slices.Sorted(maps.Keys(questions)) {
		if questions[name](err) {
			text += " " + name
		}
	}
	return text
}

// TestMeaningOfEveryCodeOfEveryOperation compares the table of operations with the one above.
func TestMeaningOfEveryCodeOfEveryOperation(t *testing.T) {
	for operation := range everyCall() {
		if _, ok := decided[operation]; !ok {
			t.Errorf("%s is missing", operation)
		}
	}
	for operation, means := range decided {
		want := map[int]string{}
		for _, table := range []map[string][]int{decidedForAll, means} {
			for text, codes := range table {
				for _, code := range codes {
					if want[code] != "" {
						t.Fatalf("%s: %d is decided twice", operation, code)
					}
					want[code] = text
				}
			}
		}
		for code := -1; code <= 200; code++ {
			if want[code] == "" {
				want[code] = "outcome unknown"
			}
			err := &seqr.Error{Operation: operation, Sent: seqr.Answered, Code: seqr.ResultCode(code)}
			if got := verdict(fmt.Errorf("wrapped: %w", err)); got != want[code] {
				t.Errorf("%s: %d: expected %q, got %q", operation, code, want[code], got)
			}
			for _, sent := range []seqr.SentState{seqr.MaybeSent, seqr.NotSent} {
				err := &seqr.Error{Operation: operation, Sent: sent, Code: seqr.ResultCode(code)}
				if got := verdict(err); got != map[seqr.SentState]string{
					seqr.MaybeSent: "outcome unknown IsUnanswered", seqr.NotSent: "try again IsUnanswered",
				}[sent] {
					t.Errorf("%s: %d, %v: got %q: only an answer has a code", operation, code, sent, got)
				}
			}
		}
	}
}

// TestVerdictsWithoutACode: a SOAP fault is an answer, and who gave up a call knows nothing about the provider.
func TestVerdictsWithoutACode(t *testing.T) {
	failed := func(sent seqr.SentState, status int, cause error) error {
		return &seqr.Error{Operation: "getPaymentStatus", Sent: sent, HTTPStatus: status, Err: cause}
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no error":                   {nil, "done"},
		"somebody else's":            {errors.New("x"), "outcome unknown"},
		"somebody else's time-out":   {context.DeadlineExceeded, "outcome unknown"},
		"connection refused":         {failed(seqr.NotSent, 0, errors.New("connection refused")), "try again IsUnanswered"},
		"connection reset":           {failed(seqr.MaybeSent, 0, errors.New("reset")), "outcome unknown IsUnanswered"},
		"time-out":                   {failed(seqr.MaybeSent, 0, context.DeadlineExceeded), "outcome unknown IsUnanswered"},
		"HTTP 502 of a proxy":        {failed(seqr.MaybeSent, 502, errors.New("not a usable SOAP answer")), "outcome unknown IsUnanswered"},
		"SOAP fault":                 {failed(seqr.MaybeSent, 500, &seqr.Fault{Code: "Server", Text: "no"}), "outcome unknown"},
		"given up before":            {failed(seqr.NotSent, 0, context.Canceled), "try again"},
		"given up while it was made": {failed(seqr.MaybeSent, 0, fmt.Errorf("x: %w", context.Canceled)), "outcome unknown"},
	} {
		if got := verdict(c.err); got != c.want {
			t.Errorf("%s: expected %q, got %q", name, c.want, got)
		}
	}
}

// TestQuestionsAboutTheOutcome: each error has one of three outcomes, and a failure inside the provider is one that it
// answered with.
func TestQuestionsAboutTheOutcome(t *testing.T) {
	answered := func(code seqr.ResultCode) error {
		return &seqr.Error{Operation: "cancelInvoice", Sent: seqr.Answered, Code: code}
	}
	for name, c := range map[string]struct {
		err                       error
		refused, unknown, failure bool
	}{
		"no error":                   {},
		"a refusal":                  {err: answered(seqr.InvoiceAlreadyCanceled), refused: true},
		"wrong credentials":          {err: answered(seqr.AuthenticationFailed), refused: true},
		"busy":                       {err: answered(seqr.SystemBusy)},
		"not sent":                   {err: &seqr.Error{Sent: seqr.NotSent, Err: errors.New("connection refused")}},
		"no answer":                  {err: &seqr.Error{Err: context.DeadlineExceeded}, unknown: true},
		"an error of another origin": {err: errors.New("x"), unknown: true},
		"SystemError":                {err: answered(seqr.SystemError), unknown: true, failure: true},
		"a code never heard of":      {err: answered(123), unknown: true, failure: true},
		"a SOAP fault":               {err: fmt.Errorf("x: %w", &seqr.Error{HTTPStatus: 500, Err: &seqr.Fault{Code: "Server"}}), unknown: true, failure: true},
	} {
		if got := seqr.IsRefused(c.err); got != c.refused {
			t.Errorf("%s: IsRefused %v", name, got)
		}
		if got := seqr.IsOutcomeUnknown(c.err); got != c.unknown {
			t.Errorf("%s: IsOutcomeUnknown %v", name, got)
		}
		if got := seqr.IsProviderFailure(c.err); got != c.failure {
			t.Errorf("%s: IsProviderFailure %v", name, got)
		}
	}
}

func TestSafeToRepeat(t *testing.T) {
	safe := map[string]bool{
		"getPaymentStatus": true, "cancelInvoice": true, "executeReport": true, "submitPaymentReceipt": true, "benchmarkingNop": true,
	}
	for operation := range decided {
		if got := seqr.SafeToRepeat(operation); got != safe[operation] {
			t.Errorf("%s: %v", operation, got)
		}
	}
}
