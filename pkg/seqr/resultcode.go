package seqr

import "strconv"

// ResultCode is the provider's verdict on a call.
type ResultCode int

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

// String is the provider's name of the code, such as "INVALID_INVOICE_DATA".
func (c ResultCode) String() string {
	if name := c.name(); name != "" {
		return name
	}
	return "RESULT_CODE_" + strconv.Itoa(int(c))
}

func (c ResultCode) name() string {
	switch c {
	case Success:
		return "SUCCESS"
	case PendingApproval:
		return "PENDING_APPROVAL"
	case ReportNotReady:
		return "REPORT_NOT_READY"
	case RejectedBusinessLogic:
		return "REJECTED_BUSINESS_LOGIC"
	case RejectedAmount:
		return "REJECTED_AMOUNT"
	case RejectedPayment:
		return "REJECTED_PAYMENT"
	case RejectedTopup:
		return "REJECTED_TOPUP"
	case AuthenticationFailed:
		return "AUTHENTICATION_FAILED"
	case AccessDenied:
		return "ACCESS_DENIED"
	case InvalidNewPassword:
		return "INVALID_NEW_PASSWORD"
	case InvalidErsReference:
		return "INVALID_ERS_REFERENCE"
	case InvalidInitiatorPrincipalID:
		return "INVALID_INITIATOR_PRINCIPAL_ID"
	case InvalidReceiverPrincipalID:
		return "INVALID_RECEIVER_PRINCIPAL_ID"
	case InvalidSenderPrincipalID:
		return "INVALID_SENDER_PRINCIPAL_ID"
	case InvalidTopupPrincipalID:
		return "INVALID_TOPUP_PRINCIPAL_ID"
	case InvalidInitiatorPrincipalState:
		return "INVALID_INITIATOR_PRINCIPAL_STATE"
	case InvalidReceiverPrincipalState:
		return "INVALID_RECEIVER_PRINCIPAL_STATE"
	case InvalidSenderPrincipalState:
		return "INVALID_SENDER_PRINCIPAL_STATE"
	case InvalidTopupPrincipalState:
		return "INVALID_TOPUP_PRINCIPAL_STATE"
	case InitiatorPrincipalNotFound:
		return "INITIATOR_PRINCIPAL_NOT_FOUND"
	case ReceiverPrincipalNotFound:
		return "RECEIVER_PRINCIPAL_NOT_FOUND"
	case SenderPrincipalNotFound:
		return "SENDER_PRINCIPAL_NOT_FOUND"
	case TopupPrincipalNotFound:
		return "TOPUP_PRINCIPAL_NOT_FOUND"
	case InvalidProduct:
		return "INVALID_PRODUCT"
	case InvalidReceiverAccountType:
		return "INVALID_RECEIVER_ACCOUNT_TYPE"
	case InvalidSenderAccountType:
		return "INVALID_SENDER_ACCOUNT_TYPE"
	case InvalidTopupAccountType:
		return "INVALID_TOPUP_ACCOUNT_TYPE"
	case ReceiverAccountNotFound:
		return "RECEIVER_ACCOUNT_NOT_FOUND"
	case SenderAccountNotFound:
		return "SENDER_ACCOUNT_NOT_FOUND"
	case TopupAccountNotFound:
		return "TOPUP_ACCOUNT_NOT_FOUND"
	case PaymentInProgress:
		return "PAYMENT_IN_PROGRESS"
	case InvalidInvoiceData:
		return "INVALID_INVOICE_DATA"
	case CannotCancelPaidInvoice:
		return "CANNOT_CANCEL_PAID_INVOICE"
	case CannotCancelInvoiceInProgress:
		return "CANNOT_CANCEL_INVOICE_IN_PROGRESS"
	case InvalidCustomer:
		return "INVALID_CUSTOMER"
	case InvalidSeqrID:
		return "INVALID_SEQR_ID"
	case InvalidInvoiceReference:
		return "INVALID_INVOICE_REFERENCE"
	case PaymentAlreadyCancelled:
		return "PAYMENT_ALREADY_CANCELLED"
	case RegistrationNotPossible:
		return "REGISTRATION_NOT_POSSIBLE"
	case RegistrationPrincipalAlreadyExists:
		return "REGISTRATION_PRINCIPAL_ALREADY_EXISTS"
	case PaymentExpired:
		return "PAYMENT_EXPIRED"
	case AuthorizationExpired:
		return "AUTHORIZATION_EXPIRED"
	case AuthorizationCancelled:
		return "AUTHORIZATION_CANCELLED"
	case AuthorizationInProgress:
		return "AUTHORIZATION_IN_PROGRESS"
	case InvalidAuthorizationReference:
		return "INVALID_AUTHORIZATION_REFERENCE"
	case InvalidNotificationURL:
		return "INVALID_NOTIFICATION_URL"
	case SystemError:
		return "SYSTEM_ERROR"
	case UnsupportedOperation:
		return "UNSUPPORTED_OPERATION"
	case LicenseRejection:
		return "LICENSE_REJECTION"
	case SystemBusy:
		return "SYSTEM_BUSY"
	case ServiceUnavailable:
		return "SERVICE_UNAVAILABLE"
	case InvoiceAlreadyCanceled:
		return "INVOICE_ALREADY_CANCELED"
	case InvoiceStateNotReserved:
		return "INVOICE_STATE_NOT_RESERVED"
	case ResellerNotAllowedToDoRefund:
		return "RESELLER_NOT_ALLOWED_TO_DO_REFUND"
	case SumOfRefundsExceedsPayment:
		return "SUM_OF_REFUNDS_CAN_NOT_BE_MORE_THAN_ORIGINAL_TRANSACTION"
	case ReceiverAccountDoesNotAllowRefunds:
		return "RECEIVER_ACCOUNT_DOES_NOT_ALLOW_REFUNDS"
	default:
		return ""
	}
}
