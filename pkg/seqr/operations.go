package seqr

import (
	"context"
	"errors"
	"slices"
)

// operation is a row of the table that says what may be done with an operation and what its answers mean.
type operation struct {
	name       string
	repeatable bool // when its outcome is unknown
	rules      []rule
}

// Operations are the names of all operations that the client has.
func Operations() []string {
	var out []string
	for _, o := range operations {
		out = append(out, o.name)
	}
	return out
}

// rule gives some codes a meaning.
type rule struct {
	class     Class
	condition condition
	codes     []ResultCode
}

// condition is what one of the questions below asks about.
type condition int

const (
	noCondition condition = iota
	badCredentials
	unknownInvoice
	alreadyPaid
	alreadyCanceled
	expired
	buyerConfirming
	refundLimit
	notReady
	unavailable
)

// every holds the rules of all operations. A row's own rules go before them. What neither decides leaves the
// outcome Unknown, above all PendingApproval, SystemError, and codes that the protocol does not name: the
// provider may have done what was asked.
var every = []rule{
	{Done, noCondition, []ResultCode{Success}},
	{Refused, badCredentials, []ResultCode{
		AuthenticationFailed, AccessDenied, InvalidInitiatorPrincipalID, InvalidInitiatorPrincipalState, InitiatorPrincipalNotFound, LicenseRejection,
	}},
	{Refused, noCondition, []ResultCode{UnsupportedOperation}},
	{TryAgain, unavailable, []ResultCode{SystemBusy, ServiceUnavailable}},
}

var (
	rejected = rule{Refused, noCondition, []ResultCode{RejectedBusinessLogic, RejectedAmount, RejectedPayment, RejectedTopup}}

	// wrongParty says that somebody or something that the call is about does not exist or may not take part.
	wrongParty = rule{Refused, noCondition, []ResultCode{
		InvalidReceiverPrincipalID, InvalidSenderPrincipalID, InvalidTopupPrincipalID,
		InvalidReceiverPrincipalState, InvalidSenderPrincipalState, InvalidTopupPrincipalState,
		ReceiverPrincipalNotFound, SenderPrincipalNotFound, TopupPrincipalNotFound, InvalidProduct,
		InvalidReceiverAccountType, InvalidSenderAccountType, InvalidTopupAccountType,
		ReceiverAccountNotFound, SenderAccountNotFound, TopupAccountNotFound, InvalidCustomer,
	}}

	noSuchInvoice = rule{Refused, unknownInvoice, []ResultCode{InvalidInvoiceReference}}
	tooLate       = rule{Refused, expired, []ResultCode{PaymentExpired}}
	inProgress    = rule{TryAgain, noCondition, []ResultCode{PaymentInProgress}}
	confirming    = rule{TryAgain, buyerConfirming, []ResultCode{CannotCancelInvoiceInProgress}}
)

func refuse(codes ...ResultCode) rule { return rule{Refused, noCondition, codes} }

// operations is the one place that decides what a code means.
//
// Where money moves or a period ends, a code refuses only if the protocol gives it to that very operation or
// if it rejects the request as such. In particular PaymentInProgress, PaymentAlreadyCancelled and a code about
// an account do not refuse a refund: an earlier attempt may be behind them.
//
// A repeated sendInvoice does no worse than leave a bill that nobody can pay, but it is no safe repetition.
var operations = [...]operation{
	{opSendInvoice, false, []rule{rejected, wrongParty, inProgress, refuse(InvalidInvoiceData, InvalidNotificationURL)}},
	{opUpdateInvoice, false, []rule{
		rejected, wrongParty, inProgress, confirming, noSuchInvoice, tooLate, refuse(InvalidInvoiceData, InvalidNotificationURL),
	}},
	// No code ends the polling of an invoice but those that a question names.
	{opGetPaymentStatus, true, []rule{
		noSuchInvoice, tooLate, inProgress,
		{Refused, alreadyCanceled, []ResultCode{PaymentAlreadyCancelled, InvoiceAlreadyCanceled}},
		{Unknown, noCondition, []ResultCode{UnsupportedOperation}},
	}},
	{opCancelInvoice, true, []rule{
		rejected, wrongParty, inProgress, confirming, noSuchInvoice, tooLate, refuse(PaymentAlreadyCancelled),
		{Refused, alreadyPaid, []ResultCode{CannotCancelPaidInvoice}},
		{Refused, alreadyCanceled, []ResultCode{InvoiceAlreadyCanceled}},
	}},
	{opCommitReservation, false, []rule{
		noSuchInvoice, refuse(RejectedBusinessLogic, RejectedAmount, RejectedPayment, InvalidInvoiceData, InvoiceStateNotReserved),
	}},
	{opSubmitPaymentReceipt, true, []rule{rejected, wrongParty, inProgress, noSuchInvoice, refuse(InvalidErsReference, InvalidInvoiceData)}},
	{opRefundPayment, false, []rule{
		noSuchInvoice,
		refuse(RejectedBusinessLogic, RejectedAmount, RejectedPayment, InvalidErsReference, InvalidInvoiceData, InvalidNotificationURL,
			ResellerNotAllowedToDoRefund, ReceiverAccountDoesNotAllowRefunds),
		{Refused, refundLimit, []ResultCode{SumOfRefundsExceedsPayment}},
	}},
	{opRegisterTerminal, false, []rule{
		rejected, wrongParty, refuse(InvalidNewPassword, RegistrationNotPossible, RegistrationPrincipalAlreadyExists),
	}},
	{opUnregisterTerminal, false, []rule{rejected, wrongParty}},
	{opAssignSeqrID, false, []rule{rejected, wrongParty, refuse(InvalidSeqrID)}},
	{opMarkTransactionPeriod, false, []rule{wrongParty, refuse(RejectedBusinessLogic)}},
	{opExecuteReport, true, []rule{rejected, wrongParty, {TryLater, notReady, []ResultCode{ReportNotReady}}}},
	{opBenchmarkingNop, true, nil},
}

// operationOf gives the row of an operation by its wire name; an unknown one has the rules of every operation.
func operationOf(name string) operation {
	for _, o := range operations {
		if o.name == name {
			return o
		}
	}
	return operation{name: name}
}

// meaning is what a result code says about the operation.
func (o operation) meaning(code ResultCode) (Class, condition) {
	for _, rules := range [][]rule{o.rules, every} {
		for _, r := range rules {
			if slices.Contains(r.codes, code) {
				return r.class, r.condition
			}
		}
	}
	return Unknown, noCondition
}

// SafeToRepeat tells whether an operation, by its wire name, may be repeated when its outcome is unknown. Of the
// others, each repetition has an effect of its own or fails in a way that tells nothing.
func SafeToRepeat(operation string) bool { return operationOf(operation).repeatable }

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

// IsCredentialError tells whether the provider refused who asks rather than what is asked: the password, the
// principal or its licence. The same request will do once a person has mended the settings.
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

// IsUnanswered tells whether the provider gave no answer that can be relied on, or said that it is busy or
// unavailable: no connection, a time-out, an HTTP error without SOAP in it, SystemBusy, ServiceUnavailable. A
// SOAP fault and every other code are answers, SystemError too. A call that its caller canceled says nothing
// about the provider.
func IsUnanswered(err error) bool {
	var e *Error
	var fault *Fault
	switch {
	case !errors.As(err, &e):
		return false
	case e.Sent == Answered:
		return answeredWith(err, unavailable)
	}
	return !errors.As(e.Err, &fault) && !errors.Is(e.Err, context.Canceled)
}

func answeredWith(err error, want condition) bool {
	var e *Error
	if !errors.As(err, &e) || e.Sent != Answered {
		return false
	}
	_, got := operationOf(e.Operation).meaning(e.Code)
	return got == want
}
