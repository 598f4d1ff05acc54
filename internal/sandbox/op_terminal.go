package sandbox

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// registerTerminal makes a new terminal each time: cash registers call it at every start, with the same externalTerminalId.
// A password that is too short is accepted here, and refused in later calls.
func registerTerminal(c *call) reply {
	external, name := c.request.word("externalTerminalId"), c.request.word("name")
	password := c.request.raw("password")
	if external == "" || password == "" {
		return refuse(registrationImpossible, "externalTerminalId and password are needed")
	}
	c.st.serial++
	id := hash(fmt.Sprint(c.cfg.Seed, c.st.serial, c.clock.now().UnixNano()), c.reseller+"/"+external)[:32]
	written := c.commit(&effect{What: "registered", Terminal: &terminal{
		ID: id, External: external, Name: cmp.Or(name, external), Reseller: c.reseller,
		CashRegister: true, Registered: true, Serial: c.st.serial, Hash: hash(id, password),
	}})
	return reply{written: written, fields: func(w *writer) { w.leaf("terminalId", id) }}
}

// unregisterTerminal ends a terminal that registerTerminal has made, and cancels its live invoice. A reseller's user names
// no terminal, and means the one that was registered last: the provider's documentation has both forms.
func unregisterTerminal(c *call) reply {
	gone := c.terminal
	if gone == nil {
		if gone = c.st.lastRegistered(c.reseller); gone == nil {
			return refuse(receiverNotFound, "the reseller has no registered terminal")
		}
	}
	if !gone.Registered {
		return refuse(accessDenied, "the provider issued this terminal")
	}
	e := &effect{What: "unregistered", Unregistered: gone.ID}
	if last := gone.current; last != nil {
		e.Invoices = []*invoice{last.as(Canceled, reasonUnregistered)}
	}
	return reply{written: c.commit(e)}
}

func (st *store) lastRegistered(reseller string) *terminal {
	var last *terminal
	for _, t := range st.terminals {
		if t.Registered && t.Reseller == reseller && (last == nil || cmp.Or(cmp.Compare(t.Serial, last.Serial), strings.Compare(t.ID, last.ID)) > 0) {
			last = t
		}
	}
	return last
}

var alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// sameTill says that both are registrations of one cash register, whose code goes with the latest that asks for it.
func (t *terminal) sameTill(as *terminal) bool {
	return t.Registered && as.Registered && t.Reseller == as.Reseller && t.External == as.External
}

// assignSeqrID gives the terminal its static QR code.
func assignSeqrID(c *call) reply {
	id := c.request.word("seqrId")
	if !alphanumeric.MatchString(id) {
		return refuse(invalidSeqrID, "a seqrId is letters and digits")
	}
	if holder := c.st.seqrIDs[id]; holder != nil && holder != c.terminal && !holder.sameTill(c.terminal) {
		return refuse(invalidSeqrID, "the seqrId is taken")
	}
	next := *c.terminal
	next.SeqrID = id
	return reply{written: c.commit(&effect{What: "assigned", Terminal: &next})}
}
