package sandbox

// operation is one call of the merchant interface.
type operation struct {
	name    string
	allowed caller
	perform func(*call) reply
}

// call is one request being performed. While perform runs, the books are locked and brought up to now.
type call struct {
	*Sandbox
	principal
	op  *element
	ext *writer // what the response has after the base fields
}

// reply is the outcome of a call.
type reply struct {
	code    code
	note    string
	ers     string
	written int64         // effect to be durable before the answer
	after   func()        // once it is durable, and the books are unlocked; nil: nothing
	late    func(*writer) // more of the response, too large to be made under the lock
}

func refuse(c code, note string) reply { return reply{code: c, note: note} }

// operations is the interface, in the order of the WSDL; read only.
var operations = []operation{
	{"sendInvoice", terminals, sendInvoice},
	{"updateInvoice", terminals, updateInvoice},
	{"getPaymentStatus", terminals, getPaymentStatus},
	{"cancelInvoice", terminals, cancelInvoice},
	{"commitReservation", terminals, commitReservation},
	{"submitPaymentReceipt", terminals, submitPaymentReceipt},
	{"refundPayment", terminals, refundPayment},
	{"registerTerminal", resellers, registerTerminal},
	{"unregisterTerminal", terminals | resellers, unregisterTerminal},
	{"assignSeqrId", terminals, assignSeqrID},
	{"markTransactionPeriod", resellers | terminals, markTransactionPeriod},
	{"executeReport", resellers | terminals, executeReport},
	{"benchmarkingNop", anyone, func(*call) reply { return reply{} }},
	{"requestTopup", anyone, unsupported},
	{"requestTransfer", anyone, unsupported},
	{"requestPurchase", anyone, unsupported},
	{"requestPrincipalInformation", anyone, unsupported},
	{"changePrincipalPassword", anyone, unsupported},
	{"confirmCustomerRegistration", anyone, unsupported},
}

func unsupported(*call) reply {
	return refuse(unsupportedOperation, "consumer banking is not part of this service")
}

func findOperation(name string) *operation {
	for i := range operations {
		if operations[i].name == name {
			return &operations[i]
		}
	}
	return nil
}

// perform carries out one operation, and returns when its effect is durable.
func (s *Sandbox) perform(o *operation, op *element, ext *writer) reply {
	s.mu.Lock()
	s.catchUp()
	c := call{Sandbox: s, op: op, ext: ext}
	var r reply
	if o.allowed != anyone {
		var refused code
		if c.principal, refused, r.note = s.st.authenticate(op, o.allowed); refused != success {
			r.code = refused
		}
	}
	if r.code == success {
		r = o.perform(&c)
	}
	s.unlock()
	if err := s.journal.wait(r.written); err != nil {
		s.log.Error().Err(err).Str("operation", o.name).Msg("an effect could not be written")
		return refuse(systemError, "the sandbox cannot write its data")
	}
	return r
}

// own finds the terminal's invoice that the call names; 54 if it is unknown or another's.
func (c *call) own() (*invoice, reply) {
	ref := c.op.word("invoiceReference")
	inv := c.st.invoices[ref]
	if inv == nil || inv.Terminal != c.terminal.ID {
		return nil, refuse(invalidInvoiceRef, "this terminal has no such invoice")
	}
	return inv, reply{}
}

// ownRefund finds the terminal's refund that the call names; nil if there is none.
func (c *call) ownRefund() *Refund {
	at, known := c.st.refundAt[c.op.word("ersReference")]
	if !known || c.st.refunds[at].Terminal != c.terminal.ID {
		return nil
	}
	return &c.st.refunds[at]
}

// ownPayment finds the terminal's payment that the call names. One that is not fetched yet may still go back to the
// buyer, so nothing can be done with it.
func (c *call) ownPayment() (*Payment, reply) {
	p := c.st.payments[c.op.word("ersReference")]
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
