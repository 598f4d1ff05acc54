package seqr

import "context"

const opUnregisterTerminal = "unregisterTerminal"

// UnregisterTerminal is the request that takes a cash register out of use.
type UnregisterTerminal struct {
	As Principal // the terminal
}

// UnregisterTerminal takes the calling terminal out of use.
func (c *Client) UnregisterTerminal(ctx context.Context, r UnregisterTerminal) error {
	_, err := c.do(ctx, call{operation: opUnregisterTerminal, as: &r.As})
	return err
}
