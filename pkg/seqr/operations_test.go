package seqr_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

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
	"IsBusy":            seqr.IsBusy,
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

// TestEveryOperationHasItsRows compares the methods of the client, the table of operations and the one above: adding
// an operation without one of its rows fails here.
func TestEveryOperationHasItsRows(t *testing.T) {
	var methods []string
	for m := range reflect.TypeFor[*seqr.Client]().Methods() {
		if m.Type.NumIn() > 1 && m.Type.In(1) == reflect.TypeFor[context.Context]() {
			methods = append(methods, strings.ToLower(m.Name))
		}
	}
	var rows []string
	for _, operation := range seqr.Operations() {
		rows = append(rows, strings.ToLower(operation))
		if _, ok := operationTests[operation]; !ok {
			t.Errorf("%s has no row in operationTests", operation)
		}
	}
	slices.Sort(rows)
	if diff := cmp.Diff(methods, rows); diff != "" {
		t.Errorf("the methods of the client and the rows of operations.go differ (-methods +rows)\n%s", diff)
	}
	if len(operationTests) != len(rows) {
		t.Errorf("operationTests has %d rows for %d operations", len(operationTests), len(rows))
	}
}

// TestMeaningOfEveryCodeOfEveryOperation compares the table of operations with the one above.
func TestMeaningOfEveryCodeOfEveryOperation(t *testing.T) {
	tests := maps.Clone(operationTests)
	onlyForAll := operationTest{means: map[string][]int{"refused": {91}}}
	tests["noSuchOperation"], tests[""] = onlyForAll, onlyForAll
	for operation, test := range tests {
		want := map[int]string{}
		for _, table := range []map[string][]int{meansForAll, test.means} {
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

// TestVerdictsWithoutACode: a SOAP fault is an answer, and a call that its caller canceled says nothing about the provider.
func TestVerdictsWithoutACode(t *testing.T) {
	failed := func(sent seqr.SentState, status int, cause error) error {
		return &seqr.Error{Operation: "getPaymentStatus", Sent: sent, HTTPStatus: status, Err: cause}
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no error":                   {nil, "done"},
		"of another package":         {errors.New("x"), "outcome unknown"},
		"a time-out of another":      {context.DeadlineExceeded, "outcome unknown"},
		"connection refused":         {failed(seqr.NotSent, 0, errors.New("connection refused")), "try again IsUnanswered"},
		"connection reset":           {failed(seqr.MaybeSent, 0, errors.New("reset")), "outcome unknown IsUnanswered"},
		"time-out":                   {failed(seqr.MaybeSent, 0, context.DeadlineExceeded), "outcome unknown IsUnanswered"},
		"HTTP 502 of a proxy":        {failed(seqr.MaybeSent, 502, errors.New("not a usable SOAP answer")), "outcome unknown IsUnanswered"},
		"SOAP fault":                 {failed(seqr.MaybeSent, 500, &seqr.Fault{Code: "Server", Text: "no"}), "outcome unknown"},
		"canceled before":            {failed(seqr.NotSent, 0, context.Canceled), "try again"},
		"canceled while it was made": {failed(seqr.MaybeSent, 0, fmt.Errorf("x: %w", context.Canceled)), "outcome unknown"},
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
	for operation, test := range operationTests {
		if got := seqr.SafeToRepeat(operation); got != test.safeToRepeat {
			t.Errorf("%s: %v", operation, got)
		}
	}
	if seqr.SafeToRepeat("noSuchOperation") {
		t.Error("an unknown operation is safe to repeat")
	}
}
