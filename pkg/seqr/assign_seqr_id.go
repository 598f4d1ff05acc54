package seqr

import "context"

const opAssignSeqrID = "assignSeqrId"

// AssignSeqrID is the request that gives a terminal the code that is printed at its till.
type AssignSeqrID struct {
	As     Principal // the terminal
	SeqrID string    // letters and digits
}

// AssignSeqrID gives the calling terminal a printed code: a buyer who scans it gets the terminal's open invoice.
func (c *Client) AssignSeqrID(ctx context.Context, r AssignSeqrID) error {
	_, err := c.do(ctx, call{
		operation: opAssignSeqrID,
		as:        &r.As,
		write:     func(e *encoder) { e.Text("seqrId", r.SeqrID) },
	})
	return err
}
