package procs

import (
	"context"
	"errors"
	"strings"
)

// errEnded says that a process ended before it wrote what was waited for.
var errEnded = errors.New("the process has ended")

// await waits for a whole line that has the text, and gives the rest of that line.
func (o *Output) await(ctx context.Context, text string, ended <-chan struct{}) (string, error) {
	for {
		o.mu.Lock()
		all, more := string(o.all), o.more
		o.mu.Unlock()
		if _, after, ok := strings.Cut(all, text); ok {
			if rest, _, whole := strings.Cut(after, "\n"); whole {
				return strings.TrimSpace(rest), nil
			}
		}
		select {
		case <-more:
		case <-ended:
			return "", errEnded
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
