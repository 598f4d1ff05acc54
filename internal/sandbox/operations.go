package sandbox

import "slices"

// operation is a row of the table: one operation of the merchant interface. The fields that the WSDL is written from are
// exported for its template.
type operation struct {
	Name       string
	allowed    caller
	perform    func(*call) reply
	parameters []parameter // after the context, in the order of the schema
	Answer     string      // type of the answer's return element in the schema
}

// parameter is a child element of an operation, as the schema has it.
type parameter struct{ Name, Type, Occurs string }

const (
	required = ""
	optional = ` minOccurs="0"`
	repeated = ` minOccurs="0" maxOccurs="unbounded"`

	resultOnly = "erswsResponse" // ersReference, resultCode and resultDescription
)

var (
	contextParam      = parameter{"context", "tns:clientContext", optional}
	referenceParam    = parameter{"invoiceReference", "xs:string", optional}
	ersReferenceParam = parameter{"ersReference", "xs:string", optional}
	invoiceParam      = parameter{"invoice", "tns:invoice", optional}
	tokensParam       = parameter{"tokens", "tns:customerToken", repeated}
	mapParam          = parameter{"parameters", "tns:parameterMap", optional}
)

// texts are optional parameters that are strings.
func texts(names ...string) []parameter {
	var all []parameter
	for _, name := range names {
		all = append(all, parameter{name, "xs:string", optional})
	}
	return all
}

// Elements are the children of the operation's element: the context, if it has one, and the parameters.
func (o operation) Elements() []parameter {
	if o.allowed == anonymous {
		return o.parameters
	}
	return append([]parameter{contextParam}, o.parameters...)
}

// call is one request. While its operation performs it, mu is locked, and what was due has been done.
type call struct {
	*Sandbox
	principal
	request *element
}

// reply is what an operation answers.
type reply struct {
	code    code
	note    string        // more about the code; empty: nothing
	ers     string        // the answer's ersReference, if any
	written int64         // the effect that has to be durable before the answer
	after   func()        // called when it is durable, and mu unlocked; nil: nothing
	fields  func(*writer) // writes what the answer of this operation has of its own; called when mu is unlocked
}

func refuse(c code, note string) reply { return reply{code: c, note: note} }

// operations is the interface, in the order of the WSDL, which is written from it; read only. What differs from one
// operation to the next is in the file of its function.
var operations = []operation{
	{"sendInvoice", terminals, sendInvoice, []parameter{invoiceParam, tokensParam}, "erswsSendInvoiceResponse"},
	{"updateInvoice", terminals, updateInvoice, []parameter{referenceParam, invoiceParam, tokensParam}, resultOnly},
	{"getPaymentStatus", terminals, getPaymentStatus, []parameter{referenceParam, {"invoiceVersion", "xs:int", required}}, "erswsPaymentStatusResponse"},
	{"cancelInvoice", terminals, cancelInvoice, []parameter{referenceParam}, resultOnly},
	{"commitReservation", terminals, commitReservation, []parameter{{"amount", "tns:amount", optional}, referenceParam}, resultOnly},
	{"submitPaymentReceipt", terminals, submitPaymentReceipt, []parameter{ersReferenceParam, {"receiptDocument", "tns:receiptDocument", optional}}, resultOnly},
	{"refundPayment", terminals, refundPayment, []parameter{ersReferenceParam, invoiceParam}, resultOnly},
	{"registerTerminal", resellers, registerTerminal, texts("externalTerminalId", "password", "name"), "erswsRegisterTerminalResponse"},
	{"unregisterTerminal", terminals | resellers, unregisterTerminal, nil, resultOnly},
	{"assignSeqrId", terminals, assignSeqrID, texts("seqrId"), resultOnly},
	{"markTransactionPeriod", resellers | terminals, markTransactionPeriod, []parameter{mapParam}, "erswsMarkTransactionPeriodResponse"},
	{"executeReport", resellers | terminals, executeReport, append(texts("reportId", "language"), mapParam), "erswsExecuteReportResponse"},
	{"benchmarkingNop", anonymous, func(*call) reply { return reply{} }, nil, resultOnly},
	{"requestTopup", anyone, unsupported, nil, resultOnly},
	{"requestTransfer", anyone, unsupported, nil, resultOnly},
	{"requestPurchase", anyone, unsupported, nil, resultOnly},
	{"requestPrincipalInformation", anyone, unsupported, nil, resultOnly},
	{"changePrincipalPassword", anyone, unsupported, nil, resultOnly},
	{"confirmCustomerRegistration", anyone, unsupported, nil, resultOnly},
}

func unsupported(*call) reply {
	return refuse(unsupportedOperation, "consumer banking is not part of this service")
}

// findOperation gives the row of an operation; nil if there is none.
func findOperation(name string) *operation {
	if at := slices.IndexFunc(operations, func(o operation) bool { return o.Name == name }); at >= 0 {
		return &operations[at]
	}
	return nil
}

// perform performs one operation, and returns when its effect is durable.
func (s *Sandbox) perform(o *operation, request *element) reply {
	s.mu.Lock()
	s.catchUp()
	c := call{Sandbox: s, request: request}
	var r reply
	if o.allowed&(terminals|resellers) != 0 {
		c.principal, r.code, r.note = s.st.authenticate(request, o.allowed)
	}
	if r.code == success {
		r = o.perform(&c)
	}
	s.unlock()
	if err := s.journal.wait(r.written); err != nil {
		s.log.Error().Err(err).Str("operation", o.Name).Msg("an effect could not be written")
		return refuse(systemError, "the sandbox cannot write its data")
	}
	return r
}

// own finds the invoice that the call names; the reply is 54 if the terminal has none of that reference.
func (c *call) own() (*invoice, reply) {
	ref := c.request.word("invoiceReference")
	inv := c.st.invoices[ref]
	if inv == nil || inv.Terminal != c.terminal.ID {
		return nil, refuse(invalidInvoiceRef, "this terminal has no such invoice")
	}
	return inv, reply{}
}

// ownRefund finds the terminal's refund that the call names; nil if there is none.
func (c *call) ownRefund() *Refund {
	at, known := c.st.refundAt[c.request.word("ersReference")]
	if !known || c.st.refunds[at].Terminal != c.terminal.ID {
		return nil
	}
	return &c.st.refunds[at]
}

// ownPayment finds the terminal's payment that the call names; the reply is 23 if there is none. A payment that was not
// fetched yet may still go back to the buyer, so nothing can be done with it.
func (c *call) ownPayment() (*Payment, reply) {
	p := c.st.payments[c.request.word("ersReference")]
	switch {
	case p == nil || p.Terminal != c.terminal.ID:
		return nil, refuse(invalidErsReference, "this terminal has no such payment")
	case !p.ReversedAt.IsZero():
		return nil, refuse(invalidErsReference, "the payment was reversed")
	case p.FetchedAt.IsZero():
		return nil, refuse(invalidErsReference, "the payment is not final before getPaymentStatus has answered PAID")
	}
	return p, reply{}
}
