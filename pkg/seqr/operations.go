package seqr

import "slices"

// operation is a row of the table: what may be done with an operation, and what the result codes mean that it answers
// with.
type operation struct {
	name       string
	repeatable bool // when its outcome is unknown
	rules      []rule
}

// Whether an operation may be repeated when its outcome is unknown.
const (
	repeatable = true
	onlyOnce   = false
)

// rule gives some result codes a meaning.
type rule struct {
	class     Class
	condition condition
	codes     []ResultCode
}

// condition is what a question in questions.go asks about.
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

// forAll are the rules of all operations. A row's own rules go before them. A code that has no rule leaves the outcome
// Unknown, above all PendingApproval, SystemError and codes that the protocol does not name: the provider may have done
// what was asked.
var forAll = []rule{
	{Done, noCondition, []ResultCode{Success}},
	{Refused, badCredentials, []ResultCode{
		AuthenticationFailed, AccessDenied, InvalidInitiatorPrincipalID, InvalidInitiatorPrincipalState, InitiatorPrincipalNotFound, LicenseRejection,
	}},
	{Refused, noCondition, []ResultCode{UnsupportedOperation}},
	{TryAgain, unavailable, []ResultCode{SystemBusy, ServiceUnavailable}},
}

var (
	rejected = rule{Refused, noCondition, []ResultCode{RejectedBusinessLogic, RejectedAmount, RejectedPayment, RejectedTopup}}

	// wrongParty: a principal, account or product that the call is about does not exist or may not take part.
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

// operations is the only place that decides what a result code means. It has a row for each method of Client.
//
// Where money moves or a period ends, a code is a refusal only if the protocol gives it to that very operation or if it
// rejects the request as such. In particular PaymentInProgress, PaymentAlreadyCancelled and a code about an account do
// not refuse a refund: an earlier attempt may be the reason for them.
//
// A sendInvoice that is repeated leaves, at worst, an invoice that no buyer is shown; it is not safe to repeat all the same.
var operations = [...]operation{
	{opSendInvoice, onlyOnce, []rule{rejected, wrongParty, inProgress, refuse(InvalidInvoiceData, InvalidNotificationURL)}},
	{opUpdateInvoice, onlyOnce, []rule{
		rejected, wrongParty, inProgress, confirming, noSuchInvoice, tooLate, refuse(InvalidInvoiceData, InvalidNotificationURL),
	}},
	// Only a code that a question names ends the polling of an invoice.
	{opGetPaymentStatus, repeatable, []rule{
		noSuchInvoice, tooLate, inProgress,
		{Refused, alreadyCanceled, []ResultCode{PaymentAlreadyCancelled, InvoiceAlreadyCanceled}},
		{Unknown, noCondition, []ResultCode{UnsupportedOperation}},
	}},
	{opCancelInvoice, repeatable, []rule{
		rejected, wrongParty, inProgress, confirming, noSuchInvoice, tooLate, refuse(PaymentAlreadyCancelled),
		{Refused, alreadyPaid, []ResultCode{CannotCancelPaidInvoice}},
		{Refused, alreadyCanceled, []ResultCode{InvoiceAlreadyCanceled}},
	}},
	{opCommitReservation, onlyOnce, []rule{
		noSuchInvoice, refuse(RejectedBusinessLogic, RejectedAmount, RejectedPayment, InvalidInvoiceData, InvoiceStateNotReserved),
	}},
	{opSubmitPaymentReceipt, repeatable, []rule{rejected, wrongParty, inProgress, noSuchInvoice, refuse(InvalidErsReference, InvalidInvoiceData)}},
	{opRefundPayment, onlyOnce, []rule{
		noSuchInvoice,
		refuse(RejectedBusinessLogic, RejectedAmount, RejectedPayment, InvalidErsReference, InvalidInvoiceData, InvalidNotificationURL,
			ResellerNotAllowedToDoRefund, ReceiverAccountDoesNotAllowRefunds),
		{Refused, refundLimit, []ResultCode{SumOfRefundsExceedsPayment}},
	}},
	{opRegisterTerminal, onlyOnce, []rule{
		rejected, wrongParty, refuse(InvalidNewPassword, RegistrationNotPossible, RegistrationPrincipalAlreadyExists),
	}},
	{opUnregisterTerminal, onlyOnce, []rule{rejected, wrongParty}},
	{opAssignSeqrID, onlyOnce, []rule{rejected, wrongParty, refuse(InvalidSeqrID)}},
	{opMarkTransactionPeriod, onlyOnce, []rule{wrongParty, refuse(RejectedBusinessLogic)}},
	{opExecuteReport, repeatable, []rule{rejected, wrongParty, {TryLater, notReady, []ResultCode{ReportNotReady}}}},
	{opBenchmarkingNop, repeatable, nil},
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
	for _, rules := range [][]rule{o.rules, forAll} {
		for _, r := range rules {
			if slices.Contains(r.codes, code) {
				return r.class, r.condition
			}
		}
	}
	return Unknown, noCondition
}

// Operations returns the names of all operations as they are on the wire, such as "sendInvoice".
func Operations() []string {
	var names []string
	for _, o := range operations {
		names = append(names, o.name)
	}
	return names
}

// SafeToRepeat tells whether an operation, named as on the wire, may be repeated when its outcome is unknown. Of every
// other, also of one that is not in the table, a repetition has an effect of its own or fails in a way that tells nothing.
func SafeToRepeat(operation string) bool { return operationOf(operation).repeatable }
