package seqr

import "context"

const opAssignSeqrID = "assignSeqrId"

// AssignSeqrID ties the code that is printed on a till to the terminal that asks.
type AssignSeqrID struct {
	As     Principal
	SeqrID string // letters and digits
}

// AssignSeqrID ties a printed code to the calling terminal.
func (c *Client) AssignSeqrID(ctx context.Context, r AssignSeqrID) error {
	_, err := c.do(ctx, call{
		operation: opAssignSeqrID,
		as:        &r.As,
		write:     func(e *encoder) { e.text("seqrId", r.SeqrID) },
	})
	return err
}
