package seqr

import "strconv"

// ResultCode is the provider's answer to a call. What a code means depends on the operation: ask an error by
// [Classify] or by the functions whose names begin with Is.
type ResultCode int

// Result codes of the protocol. ResultCode.String gives the provider's name of each.
const (
	Success                            ResultCode = 0
	PendingApproval                    ResultCode = 1
	ReportNotReady                     ResultCode = 2
	RejectedBusinessLogic              ResultCode = 10
	RejectedAmount                     ResultCode = 11
	RejectedPayment                    ResultCode = 12
	RejectedTopup                      ResultCode = 13
	AuthenticationFailed               ResultCode = 20
	AccessDenied                       ResultCode = 21
	InvalidNewPassword                 ResultCode = 22
	InvalidErsReference                ResultCode = 23
	InvalidInitiatorPrincipalID        ResultCode = 29
	InvalidReceiverPrincipalID         ResultCode = 30
	InvalidSenderPrincipalID           ResultCode = 31
	InvalidTopupPrincipalID            ResultCode = 32
	InvalidInitiatorPrincipalState     ResultCode = 33
	InvalidReceiverPrincipalState      ResultCode = 34
	InvalidSenderPrincipalState        ResultCode = 35
	InvalidTopupPrincipalState         ResultCode = 36
	InitiatorPrincipalNotFound         ResultCode = 37
	ReceiverPrincipalNotFound          ResultCode = 38
	SenderPrincipalNotFound            ResultCode = 39
	TopupPrincipalNotFound             ResultCode = 40
	InvalidProduct                     ResultCode = 41
	InvalidReceiverAccountType         ResultCode = 42
	InvalidSenderAccountType           ResultCode = 43
	InvalidTopupAccountType            ResultCode = 44
	ReceiverAccountNotFound            ResultCode = 45
	SenderAccountNotFound              ResultCode = 46
	TopupAccountNotFound               ResultCode = 47
	PaymentInProgress                  ResultCode = 48
	InvalidInvoiceData                 ResultCode = 49
	CannotCancelPaidInvoice            ResultCode = 50
	CannotCancelInvoiceInProgress      ResultCode = 51
	InvalidCustomer                    ResultCode = 52
	InvalidSeqrID                      ResultCode = 53
	InvalidInvoiceReference            ResultCode = 54
	PaymentAlreadyCancelled            ResultCode = 55
	RegistrationNotPossible            ResultCode = 56
	RegistrationPrincipalAlreadyExists ResultCode = 57
	PaymentExpired                     ResultCode = 58
	AuthorizationExpired               ResultCode = 60
	AuthorizationCancelled             ResultCode = 61
	AuthorizationInProgress            ResultCode = 62
	InvalidAuthorizationReference      ResultCode = 63
	InvalidNotificationURL             ResultCode = 64
	SystemError                        ResultCode = 90
	UnsupportedOperation               ResultCode = 91
	LicenseRejection                   ResultCode = 92
	SystemBusy                         ResultCode = 93
	ServiceUnavailable                 ResultCode = 94
	InvoiceAlreadyCanceled             ResultCode = 95
	InvoiceStateNotReserved            ResultCode = 96
	ResellerNotAllowedToDoRefund       ResultCode = 97
	SumOfRefundsExceedsPayment         ResultCode = 98
	ReceiverAccountDoesNotAllowRefunds ResultCode = 99
)

// String returns the provider's name of the code, such as "INVALID_INVOICE_DATA", or one like "RESULT_CODE_77" for a
// code that the protocol does not name.
func (c ResultCode) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return "RESULT_CODE_" + strconv.Itoa(int(c))
}

var codeNames = map[ResultCode]string{
	Success:                            "SUCCESS",
	PendingApproval:                    "PENDING_APPROVAL",
	ReportNotReady:                     "REPORT_NOT_READY",
	RejectedBusinessLogic:              "REJECTED_BUSINESS_LOGIC",
	RejectedAmount:                     "REJECTED_AMOUNT",
	RejectedPayment:                    "REJECTED_PAYMENT",
	RejectedTopup:                      "REJECTED_TOPUP",
	AuthenticationFailed:               "AUTHENTICATION_FAILED",
	AccessDenied:                       "ACCESS_DENIED",
	InvalidNewPassword:                 "INVALID_NEW_PASSWORD",
	InvalidErsReference:                "INVALID_ERS_REFERENCE",
	InvalidInitiatorPrincipalID:        "INVALID_INITIATOR_PRINCIPAL_ID",
	InvalidReceiverPrincipalID:         "INVALID_RECEIVER_PRINCIPAL_ID",
	InvalidSenderPrincipalID:           "INVALID_SENDER_PRINCIPAL_ID",
	InvalidTopupPrincipalID:            "INVALID_TOPUP_PRINCIPAL_ID",
	InvalidInitiatorPrincipalState:     "INVALID_INITIATOR_PRINCIPAL_STATE",
	InvalidReceiverPrincipalState:      "INVALID_RECEIVER_PRINCIPAL_STATE",
	InvalidSenderPrincipalState:        "INVALID_SENDER_PRINCIPAL_STATE",
	InvalidTopupPrincipalState:         "INVALID_TOPUP_PRINCIPAL_STATE",
	InitiatorPrincipalNotFound:         "INITIATOR_PRINCIPAL_NOT_FOUND",
	ReceiverPrincipalNotFound:          "RECEIVER_PRINCIPAL_NOT_FOUND",
	SenderPrincipalNotFound:            "SENDER_PRINCIPAL_NOT_FOUND",
	TopupPrincipalNotFound:             "TOPUP_PRINCIPAL_NOT_FOUND",
	InvalidProduct:                     "INVALID_PRODUCT",
	InvalidReceiverAccountType:         "INVALID_RECEIVER_ACCOUNT_TYPE",
	InvalidSenderAccountType:           "INVALID_SENDER_ACCOUNT_TYPE",
	InvalidTopupAccountType:            "INVALID_TOPUP_ACCOUNT_TYPE",
	ReceiverAccountNotFound:            "RECEIVER_ACCOUNT_NOT_FOUND",
	SenderAccountNotFound:              "SENDER_ACCOUNT_NOT_FOUND",
	TopupAccountNotFound:               "TOPUP_ACCOUNT_NOT_FOUND",
	PaymentInProgress:                  "PAYMENT_IN_PROGRESS",
	InvalidInvoiceData:                 "INVALID_INVOICE_DATA",
	CannotCancelPaidInvoice:            "CANNOT_CANCEL_PAID_INVOICE",
	CannotCancelInvoiceInProgress:      "CANNOT_CANCEL_INVOICE_IN_PROGRESS",
	InvalidCustomer:                    "INVALID_CUSTOMER",
	InvalidSeqrID:                      "INVALID_SEQR_ID",
	InvalidInvoiceReference:            "INVALID_INVOICE_REFERENCE",
	PaymentAlreadyCancelled:            "PAYMENT_ALREADY_CANCELLED",
	RegistrationNotPossible:            "REGISTRATION_NOT_POSSIBLE",
	RegistrationPrincipalAlreadyExists: "REGISTRATION_PRINCIPAL_ALREADY_EXISTS",
	PaymentExpired:                     "PAYMENT_EXPIRED",
	AuthorizationExpired:               "AUTHORIZATION_EXPIRED",
	AuthorizationCancelled:             "AUTHORIZATION_CANCELLED",
	AuthorizationInProgress:            "AUTHORIZATION_IN_PROGRESS",
	InvalidAuthorizationReference:      "INVALID_AUTHORIZATION_REFERENCE",
	InvalidNotificationURL:             "INVALID_NOTIFICATION_URL",
	SystemError:                        "SYSTEM_ERROR",
	UnsupportedOperation:               "UNSUPPORTED_OPERATION",
	LicenseRejection:                   "LICENSE_REJECTION",
	SystemBusy:                         "SYSTEM_BUSY",
	ServiceUnavailable:                 "SERVICE_UNAVAILABLE",
	InvoiceAlreadyCanceled:             "INVOICE_ALREADY_CANCELED",
	InvoiceStateNotReserved:            "INVOICE_STATE_NOT_RESERVED",
	ResellerNotAllowedToDoRefund:       "RESELLER_NOT_ALLOWED_TO_DO_REFUND",
	SumOfRefundsExceedsPayment:         "SUM_OF_REFUNDS_CAN_NOT_BE_MORE_THAN_ORIGINAL_TRANSACTION",
	ReceiverAccountDoesNotAllowRefunds: "RECEIVER_ACCOUNT_DOES_NOT_ALLOW_REFUNDS",
}
