package sandbox

// parameters reads a parameterMap.
func parameters(op *element) map[string]string {
	all := map[string]string{}
	for _, e := range op.child("parameters").child("parameter").children("entry") {
		all[e.word("key")] = e.word("value")
	}
	return all
}

// scope is what a call about periods is about: a reseller, or one terminal. A terminal speaks for itself only.
func (c *call) scope(asked string) (reseller, terminal string, refused reply) {
	if c.terminal != nil {
		if asked != "" && asked != c.terminal.ID {
			return "", "", refuse(accessDenied, "a terminal sees its own transactions only")
		}
		return c.reseller, c.terminal.ID, reply{}
	}
	if asked == "" {
		return c.reseller, "", reply{}
	}
	if t := c.st.terminals[asked]; t == nil || t.Reseller != c.reseller {
		return "", "", refuse(receiverNotFound, "the reseller has no such terminal")
	}
	return c.reseller, asked, reply{}
}

// markTransactionPeriod closes the books of a scope: everything booked since its last mark is the period. See Period.
func markTransactionPeriod(c *call) reply {
	reseller, terminal, refused := c.scope(parameters(c.op)["TERMINALID"])
	if refused.code != success {
		return refused
	}
	p := &Period{
		TransactionPeriodID: c.newSerial(), Reseller: reseller, Terminal: terminal,
		MarkedAt: c.clock.now(), To: len(c.st.bookings),
	}
	if last := c.st.marks[scopeOf(reseller, terminal)]; last != nil {
		p.From = last.To
	}
	for _, b := range c.st.bookings[p.From:p.To] {
		switch {
		case !b.within(reseller, terminal):
		case b.Amount.IsNeg():
			p.Refunds++
		default:
			p.Payments++
		}
	}
	c.ext.leaf("transactionPeriodId", p.TransactionPeriodID)
	return reply{written: c.commit(&effect{What: "marked", Period: p})}
}

func (b *booking) within(reseller, terminal string) bool {
	if terminal != "" {
		return b.Terminal == terminal
	}
	return b.Reseller == reseller
}
