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

// principal is who makes one: a terminal, or a reseller's user.
type principal struct {
	terminal *terminal
	reseller string
}

// shortest is how many characters a terminal's password has at least. registerTerminal takes shorter ones all the same,
// as the provider does, and the operations that are barred then answer 21 to the right password.
const shortest = 4

// authenticate reads the context of a call.
func (st *store) authenticate(op *element, allowed caller) (principal, code, string) {
	context := op.child("context")
	who := context.child("initiatorPrincipalId")
	kind, id, user := who.word("type"), who.word("id"), who.word("userId")
	password := context.raw("password")
	switch {
	case who == nil:
		return principal{}, invalidInitiator, "initiatorPrincipalId is missing"
	case id == "":
		return principal{}, invalidInitiator, "initiatorPrincipalId has no id"
	case kind == "TERMINALID" && allowed&terminals != 0:
		return st.authenticateTerminal(op.name, id, password)
	case kind == "RESELLERUSER" && allowed&resellers != 0:
		return st.authenticateReseller(id, user, password)
	case kind == "TERMINALID", kind == "RESELLERUSER":
		return principal{}, invalidInitiator, fmt.Sprintf("a %s may not call %s", kind, op.name)
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
	case utf8.RuneCountInString(password) < shortest && barred[operation]:
		return principal{}, accessDenied, "the terminal was given a password of less than four characters"
	}
	return principal{terminal: t, reseller: t.Reseller}, success, ""
}

// barred are the operations that the provider's tables give 21 for; read only.
var barred = map[string]bool{"sendInvoice": true, "getPaymentStatus": true, "unregisterTerminal": true}

// authenticateReseller takes the user as userId, or behind a slash in the id.
func (st *store) authenticateReseller(id, user, password string) (principal, code, string) {
	if reseller, behind, found := strings.Cut(id, "/"); found && (user == "" || user == behind) {
		id, user = reseller, behind
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
