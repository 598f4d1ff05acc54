package certify

import (
	"fmt"
	"slices"
)

// Names of steps that are in several tests, or that code refers to.
const (
	stepSend      = "sendInvoice"
	stepSendAgain = "sendInvoice again"
	stepUnscanned = "getPaymentStatus without a scan says ISSUED"
	stepPays      = "the buyer scans the QR code and pays"
	stepPaid      = "getPaymentStatus says PAID"
	stepWait      = "wait 30 s"
	stepLater     = "getPaymentStatus of that reference, 30 s after its sendInvoice"
)

// procedureSteps holds the steps that the provider's procedure has in each test, in its order. All other steps are checks of
// this package. Read only.
var procedureSteps = map[string][]string{
	"registerTerminal":      {"registerTerminal is accepted"},
	"assignSeqrId":          {"assignSeqrId is accepted"},
	"sendInvoice":           {"an order of one row is sent as an invoice", "an order of several rows is sent as an invoice"},
	"getPaymentStatus":      {stepUnscanned, stepPays, stepPaid, stepSendAgain, stepWait, stepLater},
	"submitPaymentReceipt":  {"submitPaymentReceipt is accepted"},
	"cancelInvoice":         {stepSend, stepUnscanned, "cancelInvoice is accepted"},
	"refundPayment":         {stepSend, stepUnscanned, stepPays, stepPaid, "refundPayment is accepted"},
	"markTransactionPeriod": {"markTransactionPeriod is accepted", "executeReport is asked until the report is ready"},
	"unregisterTerminal":    {"unregisterTerminal is accepted"},
}

// number gives the procedure's number of a step, such as 2.4; empty if the procedure has no such step.
func (t Test) number(step string) string {
	at := slices.Index(procedureSteps[t.Name], step)
	if at < 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d", t.N, at+1)
}
