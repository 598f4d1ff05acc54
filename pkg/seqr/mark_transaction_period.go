package seqr

import (
	"context"
	"errors"
)

const opMarkTransactionPeriod = "markTransactionPeriod"

// Keys of report parameters.
const (
	// ParamTerminalID limits a period or a report to one terminal; the same in both.
	ParamTerminalID = "TERMINALID"
	// ParamTransactionPeriodID says which period a report is about.
	ParamTransactionPeriodID = "transactionPeriodId"
)

// MarkTransactionPeriod ends the running period and begins another. Repeated, it ends another, shorter one.
type MarkTransactionPeriod struct {
	As         Principal
	Parameters map[string]string
}

// MarkTransactionPeriod gives the id of the period that it ended. Success always has one.
func (c *Client) MarkTransactionPeriod(ctx context.Context, r MarkTransactionPeriod) (string, error) {
	var id string
	_, err := c.do(ctx, call{
		operation: opMarkTransactionPeriod,
		as:        &r.As,
		write:     func(e *encoder) { e.parameters(r.Parameters) },
		read: func(s *scanner, name []byte) error {
			if string(name) == "transactionPeriodId" {
				return s.tokenInto(&id)
			}
			return nil
		},
		check: func() error {
			if id == "" {
				return errors.New("the answer has no transactionPeriodId")
			}
			return nil
		},
	})
	if err != nil {
		return "", err
	}
	return id, nil
}
