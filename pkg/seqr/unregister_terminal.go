package seqr

import "context"

const opUnregisterTerminal = "unregisterTerminal"

// UnregisterTerminal takes a cash register out of use. It is asked by the terminal itself.
type UnregisterTerminal struct{ As Principal }

// UnregisterTerminal takes the calling terminal out of use.
func (c *Client) UnregisterTerminal(ctx context.Context, r UnregisterTerminal) error {
	_, err := c.do(ctx, call{operation: opUnregisterTerminal, as: &r.As})
	return err
}
