package seqr

// PrincipalType is the kind of account that makes a call.
type PrincipalType string

const (
	// TerminalID pays, cancels and refunds: a cash register or a webshop.
	TerminalID PrincipalType = "TERMINALID"
	// Reseller registers terminals and closes periods: the shop as a whole.
	Reseller PrincipalType = "RESELLERUSER"
)

// Principal is who makes a call, and the proof of it.
type Principal struct {
	Type     PrincipalType
	ID       string
	UserID   string
	Password Secret
}

// Terminal is the principal for everything that has to do with payments.
func Terminal(id string, password Secret) Principal {
	return Principal{Type: TerminalID, ID: id, Password: password}
}

// ResellerUser is the principal for registering terminals, closing periods and reports.
func ResellerUser(reseller, user string, password Secret) Principal {
	return Principal{Type: Reseller, ID: reseller, UserID: user, Password: password}
}
