package sandbox

import (
	"fmt"
	"regexp"
)

// registerTerminal makes a cash register. A password too short to be used is accepted here, and refused in later calls.
func registerTerminal(c *call) reply {
	external, name := c.op.word("externalTerminalId"), c.op.word("name")
	password := c.op.raw("password")
	if external == "" || password == "" {
		return refuse(registrationImpossible, "externalTerminalId and password are needed")
	}
	for _, t := range c.st.terminals {
		if t.Registered && t.External == external && t.Reseller == c.reseller {
			return refuse(principalExists, "the reseller has a terminal of that externalTerminalId")
		}
	}
	c.st.serial++
	id := hash(fmt.Sprint(c.cfg.Seed, c.st.serial, c.clock.now().UnixNano()), c.reseller+"/"+external)[:32]
	if name == "" {
		name = external
	}
	c.ext.leaf("terminalId", id)
	return reply{written: c.commit(&effect{What: "registered", Terminal: &terminal{
		ID: id, External: external, Name: name, Reseller: c.reseller,
		CashRegister: true, Registered: true, Hash: hash(id, password),
	}})}
}

// unregisterTerminal is for terminals that registerTerminal made. What it has on show is canceled.
func unregisterTerminal(c *call) reply {
	if !c.terminal.Registered {
		return refuse(accessDenied, "the provider issued this terminal")
	}
	e := &effect{What: "unregistered", Unregistered: c.terminal.ID}
	if last := c.terminal.current; last != nil {
		next := *last
		next.Status, next.Reason = Canceled, reasonUnregistered
		next.Version++
		e.Invoices = []*invoice{&next}
	}
	return reply{written: c.commit(e)}
}

var alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// assignSeqrID gives the terminal its static QR code.
func assignSeqrID(c *call) reply {
	id := c.op.word("seqrId")
	if !alphanumeric.MatchString(id) {
		return refuse(invalidSeqrID, "a seqrId is letters and digits")
	}
	if holder := c.st.seqrIDs[id]; holder != nil && holder != c.terminal {
		return refuse(invalidSeqrID, "the seqrId is taken")
	}
	next := *c.terminal
	next.SeqrID = id
	return reply{written: c.commit(&effect{What: "assigned", Terminal: &next})}
}
