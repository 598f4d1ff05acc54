package seqr

// PrincipalType is a kind of account at the provider.
type PrincipalType string

const (
	// TerminalID is a cash register or a webshop. It makes all requests about invoices and payments.
	TerminalID PrincipalType = "TERMINALID"
	// Reseller is a user of the shop as a whole. It registers terminals, ends periods and gets reports.
	Reseller PrincipalType = "RESELLERUSER"
)

// Principal is the account that makes a request, with its password.
type Principal struct {
	Type     PrincipalType
	ID       string
	UserID   string // of a Reseller; empty for a terminal
	Password Secret
}

// Terminal returns the principal of a terminal.
func Terminal(id string, password Secret) Principal {
	return Principal{Type: TerminalID, ID: id, Password: password}
}

// ResellerUser returns the principal of a reseller's user.
func ResellerUser(reseller, user string, password Secret) Principal {
	return Principal{Type: Reseller, ID: reseller, UserID: user, Password: password}
}
