package seqr

import "context"

const opBenchmarkingNop = "benchmarkingNop"

// BenchmarkingNop calls the provider without doing anything there, and needs no credentials.
func (c *Client) BenchmarkingNop(ctx context.Context) error {
	_, err := c.do(ctx, call{operation: opBenchmarkingNop})
	return err
}
