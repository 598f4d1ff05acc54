package seqr

import (
	"errors"
	"fmt"
	"strings"
)

// SentState is how far a call got.
type SentState int

const (
	// MaybeSent: the provider may have received the request, and gave no answer that can be relied on.
	MaybeSent SentState = iota
	// NotSent: nobody can have received the request.
	NotSent
	// Answered: the provider answered with a result code.
	Answered
)

func (s SentState) String() string {
	switch s {
	case NotSent:
		return "not sent"
	case Answered:
		return "answered"
	default:
		return "maybe sent"
	}
}

// Class says what to do after a call.
type Class int

const (
	// Unknown: it may have been done. Repeat it only where SafeToRepeat holds; else find out first. A code that
	// the operation is not known to give is Unknown as well.
	Unknown Class = iota
	// Done: there is no error.
	Done
	// Refused: certainly not done. The same request will be refused again.
	Refused
	// TryAgain: certainly not done. The same request may be sent again after a pause.
	TryAgain
	// TryLater: not ready yet. Ask again in a few seconds.
	TryLater
)

// Classes are all of them.
func Classes() []Class { return []Class{Done, Refused, TryAgain, TryLater, Unknown} }

func (c Class) String() string {
	switch c {
	case Done:
		return "done"
	case Refused:
		return "refused"
	case TryAgain:
		return "try again"
	case TryLater:
		return "try later"
	default:
		return "outcome unknown"
	}
}

// Error is how every failed call ends.
type Error struct {
	Operation   string
	Sent        SentState
	Code        ResultCode // only when Sent is Answered
	Description string     // the provider's words; only when Sent is Answered
	HTTPStatus  int        // 0 when there was no answer at all
	Err         error      // the cause; nil when Sent is Answered
}

// Class says what the caller does next. What a code means depends on the operation.
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

func (e *Error) Unwrap() error { return e.Err }

// Classify says what to do about the outcome of a call: Done without an error, and Unknown, the most
// careful answer, for an error that is not this package's.
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

// CodeOf gives the result code that the provider answered with, if it is what the error is about.
func CodeOf(err error) (ResultCode, bool) {
	var e *Error
	if errors.As(err, &e) && e.Sent == Answered {
		return e.Code, true
	}
	return 0, false
}

// Fault is a SOAP fault: the provider could not make sense of the request, or failed inside. It is the
// cause in an Error whose outcome is unknown.
type Fault struct{ Code, Text string }

func (f *Fault) Error() string {
	return fmt.Sprintf("SOAP fault %s: %s", shorten(f.Code), shorten(f.Text))
}

const maxProse = 500

// shorten keeps a provider's words to what a log line can bear.
func shorten(text string) string {
	if len(text) > maxProse {
		return strings.ToValidUTF8(text[:maxProse], "") + "…"
	}
	return text
}
