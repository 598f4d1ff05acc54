package seqr

import (
	"context"
	"errors"
)

// The functions below are questions about the error of a call. Each also takes an error that wraps an [*Error], and
// answers no for a nil error.

// IsRefused tells whether the provider refused the call: it has done nothing, and will refuse the same request again.
func IsRefused(err error) bool { return Classify(err) == Refused }

// IsOutcomeUnknown tells whether the provider may have done what was asked, or not. Repeat the call only where
// SafeToRepeat holds.
func IsOutcomeUnknown(err error) bool { return Classify(err) == Unknown }

// IsProviderFailure tells whether the provider answered, and the outcome is unknown all the same: a SOAP fault,
// SystemError, or a result code that the operation is not known to give.
func IsProviderFailure(err error) bool {
	var fault *Fault
	_, coded := CodeOf(err)
	return IsOutcomeUnknown(err) && (coded || errors.As(err, &fault))
}

// IsCredentialError tells whether the provider refused the caller rather than the request: its password, its principal
// or its licence. The same request can succeed once the settings are corrected.
func IsCredentialError(err error) bool { return answeredWith(err, badCredentials) }

// IsUnknownInvoice tells whether the provider knows no such invoice of this terminal.
func IsUnknownInvoice(err error) bool { return answeredWith(err, unknownInvoice) }

// IsAlreadyPaid tells whether cancelInvoice came too late: the buyer has paid.
func IsAlreadyPaid(err error) bool { return answeredWith(err, alreadyPaid) }

// IsAlreadyCanceled tells whether the provider says that the invoice is canceled, to cancelInvoice or to
// getPaymentStatus.
func IsAlreadyCanceled(err error) bool { return answeredWith(err, alreadyCanceled) }

// IsExpired tells whether the provider says that the invoice has expired.
func IsExpired(err error) bool { return answeredWith(err, expired) }

// IsBuyerConfirming tells whether an invoice can't be canceled or changed while its buyer confirms the payment.
// A moment later it is paid, or can be canceled.
func IsBuyerConfirming(err error) bool { return answeredWith(err, buyerConfirming) }

// IsRefundLimit tells whether a refund was refused because all refunds together would exceed the payment.
func IsRefundLimit(err error) bool { return answeredWith(err, refundLimit) }

// IsNotReady tells whether a report is not ready yet. Ask again in a few seconds.
func IsNotReady(err error) bool { return answeredWith(err, notReady) }

// IsUnanswered tells whether the provider could not be reached or is not able to work: no connection, a time-out, an
// HTTP error without SOAP in it, SystemBusy, ServiceUnavailable. A SOAP fault and every other code are answers,
// SystemError too. A call that its caller canceled says nothing about the provider.
func IsUnanswered(err error) bool {
	var e *Error
	var fault *Fault
	switch {
	case !errors.As(err, &e):
		return false
	case e.Sent == Answered:
		return IsBusy(err)
	}
	return !errors.As(e.Err, &fault) && !errors.Is(e.Err, context.Canceled)
}

// IsBusy tells whether the provider answered that it is not able to work now: SystemBusy, ServiceUnavailable.
func IsBusy(err error) bool { return answeredWith(err, unavailable) }

func answeredWith(err error, want condition) bool {
	var e *Error
	if !errors.As(err, &e) || e.Sent != Answered {
		return false
	}
	_, got := operationOf(e.Operation).meaning(e.Code)
	return got == want
}
