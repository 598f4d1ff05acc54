package seqr

import "context"

const opRegisterTerminal = "registerTerminal"

// RegisterTerminal is the request that makes a cash register known to the provider.
type RegisterTerminal struct {
	As                 Principal // a reseller's user
	ExternalTerminalID string    // the shop's own name of the terminal
	Password           Secret    // of the new terminal
	Name               string    // what the buyer sees
}

// RegisterTerminal returns the id of the new terminal. A success always has one.
func (c *Client) RegisterTerminal(ctx context.Context, r RegisterTerminal) (string, error) {
	return c.doForID(ctx, "terminalId", call{
		operation: opRegisterTerminal,
		as:        &r.As,
		secrets:   []Secret{r.Password},
		write: func(e *encoder) {
			e.Text("externalTerminalId", r.ExternalTerminalID)
			e.password(r.Password)
			e.Text("name", r.Name)
		},
	})
}
