package sandbox

import (
	"crypto/subtle"
	"fmt"
	"strings"
	"unicode/utf8"
)

// caller says which principals may call an operation.
type caller uint8

const (
	anonymous caller = 0         // the operation has no context
	anyone    caller = 1 << iota // it has one, which is not looked at
	terminals
	resellers
)

// principal makes a call: a terminal, or a user of a reseller.
type principal struct {
	terminal *terminal // nil for a reseller's user
	reseller string    // the user's, or the terminal's
}

// minPassword is how many characters a terminal's password has to have. registerTerminal accepts a shorter one, as the
// provider does, and some operations then answer 21 to the right password.
const minPassword = 4

// authenticate reads the context of a call. The code is success if one of the allowed principals calls.
func (st *store) authenticate(request *element, allowed caller) (principal, code, string) {
	context := request.child("context")
	initiator := context.child("initiatorPrincipalId")
	kind, id, user := initiator.word("type"), initiator.word("id"), initiator.word("userId")
	password := context.raw("password")
	switch {
	case initiator == nil:
		return principal{}, invalidInitiator, "initiatorPrincipalId is missing"
	case id == "":
		return principal{}, invalidInitiator, "initiatorPrincipalId has no id"
	case kind == "TERMINALID" && allowed&terminals != 0:
		return st.authenticateTerminal(request.name, id, password)
	case kind == "RESELLERUSER" && allowed&resellers != 0:
		return st.authenticateReseller(id, user, password)
	case kind == "TERMINALID", kind == "RESELLERUSER":
		return principal{}, invalidInitiator, fmt.Sprintf("a %s may not call %s", kind, request.name)
	}
	return principal{}, invalidInitiator, fmt.Sprintf("initiatorPrincipalId type %.40q is neither TERMINALID nor RESELLERUSER", kind)
}

func (st *store) authenticateTerminal(operation, id, password string) (principal, code, string) {
	t := st.terminals[id]
	switch {
	case t == nil:
		return principal{}, invalidInitiator, "no such terminal"
	case password == "":
		return principal{}, authenticationFailed, "the password is missing"
	case !same(t.Hash, hash(t.ID, password)):
		return principal{}, authenticationFailed, "wrong password"
	case utf8.RuneCountInString(password) < minPassword && refuseShort[operation]:
		return principal{}, accessDenied, "the terminal was given a password of less than four characters"
	}
	return principal{terminal: t, reseller: t.Reseller}, success, ""
}

// refuseShort holds the operations that the provider's tables give 21 for; read only.
var refuseShort = map[string]bool{"sendInvoice": true, "getPaymentStatus": true, "unregisterTerminal": true}

// authenticateReseller accepts the user as userId, or after a slash in the id.
func (st *store) authenticateReseller(id, user, password string) (principal, code, string) {
	if reseller, after, found := strings.Cut(id, "/"); found && (user == "" || user == after) {
		id, user = reseller, after
	}
	if user == "" {
		return principal{}, invalidInitiator, "a RESELLERUSER needs a userId"
	}
	key := id + "/" + user
	want, found := st.resellers[key]
	switch {
	case !found:
		return principal{}, initiatorNotFound, "no such reseller user"
	case !same(want, hash(key, password)):
		return principal{}, authenticationFailed, "wrong password"
	}
	return principal{reseller: id}, success, ""
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
