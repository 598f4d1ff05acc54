package sandbox

import "slices"

// parameters reads a parameterMap. The provider's own sample leaves out the parameter element around the entries.
func parameters(request *element) map[string]string {
	all := map[string]string{}
	e := request.child("parameters")
	for _, entry := range append(e.children("entry"), e.child("parameter").children("entry")...) {
		all[entry.word("key")] = entry.word("value")
	}
	return all
}

// scope gives the reseller and the terminal that a call about periods concerns; the terminal is empty for all of the
// reseller's. A terminal sees its own transactions only.
func (c *call) scope(asked string) (reseller, terminal string, refused reply) {
	if c.terminal != nil {
		if asked != "" && asked != c.terminal.ID {
			return "", "", refuse(receiverNotFound, "a terminal sees its own transactions only")
		}
		return c.reseller, c.terminal.ID, reply{}
	}
	if asked == "" {
		return c.reseller, "", reply{}
	}
	if !c.st.has(c.reseller, asked) {
		return "", "", refuse(receiverNotFound, "the reseller has no such terminal")
	}
	return c.reseller, asked, reply{}
}

// has tells whether the terminal is the reseller's, or was and has closed a period or sold something.
func (st *store) has(reseller, terminal string) bool {
	if t := st.terminals[terminal]; t != nil {
		return t.Reseller == reseller
	}
	if p := st.marks[scopeOf(reseller, terminal)]; p != nil {
		return p.Reseller == reseller
	}
	return slices.ContainsFunc(st.bookings, func(b booking) bool { return b.Terminal == terminal && b.Reseller == reseller })
}

// markTransactionPeriod ends the period of a scope: everything booked since its last mark is the period. See Period.
func markTransactionPeriod(c *call) reply {
	reseller, terminal, refused := c.scope(parameters(c.request)["TERMINALID"])
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
	return reply{
		written: c.commit(&effect{What: "marked", Period: p}),
		fields:  func(w *writer) { w.leaf("transactionPeriodId", p.TransactionPeriodID) },
	}
}

func (b *booking) within(reseller, terminal string) bool {
	if terminal != "" {
		return b.Terminal == terminal
	}
	return b.Reseller == reseller
}
