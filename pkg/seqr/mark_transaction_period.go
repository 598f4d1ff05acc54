package seqr

import "context"

const opMarkTransactionPeriod = "markTransactionPeriod"

// Keys of the parameters of MarkTransactionPeriod and ExecuteReport.
const (
	// ParamTerminalID limits a period or its report to one terminal. Both must name the same one.
	ParamTerminalID = "TERMINALID"
	// ParamTransactionPeriodID names the period of a report.
	ParamTransactionPeriodID = "transactionPeriodId"
)

// MarkTransactionPeriod is the request that ends the current period and begins another. It must not be repeated when
// its outcome is unknown: the second request would end a period of its own.
type MarkTransactionPeriod struct {
	As         Principal // a reseller's user
	Parameters map[string]string
}

// MarkTransactionPeriod returns the id of the period that it has ended. A success always has one.
func (c *Client) MarkTransactionPeriod(ctx context.Context, r MarkTransactionPeriod) (string, error) {
	return c.doForID(ctx, "transactionPeriodId", call{
		operation: opMarkTransactionPeriod,
		as:        &r.As,
		write:     func(e *encoder) { e.parameters(r.Parameters) },
	})
}
