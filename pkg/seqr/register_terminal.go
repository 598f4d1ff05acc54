package seqr

import (
	"context"
	"errors"
)

const opRegisterTerminal = "registerTerminal"

// RegisterTerminal makes a cash register known to the provider. It is asked by a reseller's user.
type RegisterTerminal struct {
	As                 Principal
	ExternalTerminalID string // the shop's own name for it
	Password           Secret // the new terminal's
	Name               string // what the buyer sees
}

// RegisterTerminal gives the new terminal's id. Success always has one.
func (c *Client) RegisterTerminal(ctx context.Context, r RegisterTerminal) (string, error) {
	var id string
	_, err := c.do(ctx, call{
		operation: opRegisterTerminal,
		as:        &r.As,
		secrets:   []Secret{r.Password},
		write: func(e *encoder) {
			e.text("externalTerminalId", r.ExternalTerminalID)
			e.secret("password", r.Password)
			e.text("name", r.Name)
		},
		read: func(s *scanner, name []byte) error {
			if string(name) == "terminalId" {
				return s.tokenInto(&id)
			}
			return nil
		},
		check: func() error {
			if id == "" {
				return errors.New("the answer has no terminalId")
			}
			return nil
		},
	})
	if err != nil {
		return "", err
	}
	return id, nil
}
