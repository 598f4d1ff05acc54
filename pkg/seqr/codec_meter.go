package seqr

import "context"

const (
	// alwaysDecoded is the size up to which an answer that has arrived is decoded whatever the time: it
	// takes a moment, and may say what became of somebody's money.
	alwaysDecoded = 1 << 20
	// lookEvery is how many bytes are worked on between two looks at the call's deadline.
	lookEvery = 1 << 20
)

// meter measures the work on one answer, and ends it when the call is over.
type meter struct {
	ctx         context.Context
	left        int // bytes until ctx is looked at
	comparisons int // of attribute names and of namespace prefixes
}

func newMeter(ctx context.Context, size int) meter {
	if size <= alwaysDecoded {
		ctx = context.Background()
	}
	return meter{ctx: ctx, left: lookEvery}
}

// spend counts n bytes of work. Its error is the context's.
func (m *meter) spend(n int) error {
	if m.left -= n; m.left > 0 {
		return nil
	}
	m.left = lookEvery
	return m.ctx.Err()
}
