package seqr

import (
	"errors"
	"fmt"
	"strings"
)

// SentState is how much of a call can have reached the provider.
type SentState int

const (
	// MaybeSent: the provider may have received the request, and there is no answer that can be relied on.
	MaybeSent SentState = iota
	// NotSent: the provider can't have received the request.
	NotSent
	// Answered: the provider answered with a result code.
	Answered
)

// String returns the state in words, such as "not sent".
func (s SentState) String() string {
	return [...]string{MaybeSent: "maybe sent", NotSent: "not sent", Answered: "answered"}[s]
}

// Class says what the caller does next.
type Class int

const (
	// Unknown: it may have been done or not. Repeat it only where SafeToRepeat holds, and find out first where it does
	// not. A result code that the operation is not known to give is Unknown as well.
	Unknown Class = iota
	// Done: there is no error.
	Done
	// Refused: it was certainly not done. The same request will be refused again.
	Refused
	// TryAgain: it was certainly not done. The same request may be sent again after a pause.
	TryAgain
	// TryLater: what was asked for is not ready. Ask again in a few seconds.
	TryLater
)

// Classes returns all classes.
func Classes() []Class { return []Class{Done, Refused, TryAgain, TryLater, Unknown} }

// String returns the class in words, such as "outcome unknown".
func (c Class) String() string {
	return [...]string{Unknown: "outcome unknown", Done: "done", Refused: "refused", TryAgain: "try again", TryLater: "try later"}[c]
}

// Error is the error of every failed call.
type Error struct {
	Operation   string // its name on the wire, such as "sendInvoice"
	Sent        SentState
	Code        ResultCode // only when Sent is Answered
	Description string     // the provider's words; only when Sent is Answered
	HTTPStatus  int        // 0 without an answer of HTTP
	Err         error      // the cause; nil when Sent is Answered
}

// Class returns what the caller does next.
func (e *Error) Class() Class {
	switch e.Sent {
	case NotSent:
		return TryAgain
	case Answered:
		class, _ := operationOf(e.Operation).meaning(e.Code)
		return class
	default:
		return Unknown
	}
}

// Error returns the operation, the class and the reason. It has no secret in it.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seqr: %s: %s: ", e.Operation, e.Class())
	switch {
	case e.Sent == Answered:
		fmt.Fprintf(&b, "%d %s", int(e.Code), e.Code)
		if e.Description != "" && e.Description != e.Code.String() {
			fmt.Fprintf(&b, " (%s)", e.Description)
		}
	default:
		b.WriteString(e.Sent.String())
		if e.HTTPStatus != 0 {
			fmt.Fprintf(&b, ": HTTP %d", e.HTTPStatus)
		}
		if e.Err != nil {
			fmt.Fprintf(&b, ": %v", e.Err)
		}
	}
	return b.String()
}

// Unwrap returns the cause: a *Fault, the end of the context, or an error of the network.
func (e *Error) Unwrap() error { return e.Err }

// Classify returns the class of a call's error: Done for nil, and Unknown, which is the most careful, for an error that
// is not an *Error and wraps none.
func Classify(err error) Class {
	if err == nil {
		return Done
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Class()
	}
	return Unknown
}

// CodeOf returns the result code that the provider answered with, and whether there is one. It is for texts and
// statistics; decisions are made by Classify and by the questions whose names begin with Is.
func CodeOf(err error) (ResultCode, bool) {
	var e *Error
	if errors.As(err, &e) && e.Sent == Answered {
		return e.Code, true
	}
	return 0, false
}

// Fault is a SOAP fault: the provider could not read the request, or failed while it worked on it. It is the cause of
// an Error of class Unknown.
type Fault struct{ Code, Text string }

// Error returns the code and the text, each shortened to 500 bytes.
func (f *Fault) Error() string {
	return fmt.Sprintf("SOAP fault %s: %s", shorten(f.Code), shorten(f.Text))
}

const maxProse = 500 // bytes

// shorten keeps the provider's words fit for a log line.
func shorten(text string) string {
	if len(text) > maxProse {
		return strings.ToValidUTF8(text[:maxProse], "") + "…"
	}
	return text
}
