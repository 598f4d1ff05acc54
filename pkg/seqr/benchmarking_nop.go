package seqr

import "context"

const opBenchmarkingNop = "benchmarkingNop"

// BenchmarkingNop does nothing at the provider but answer.
func (c *Client) BenchmarkingNop(ctx context.Context) error {
	_, err := c.do(ctx, call{operation: opBenchmarkingNop})
	return err
}
