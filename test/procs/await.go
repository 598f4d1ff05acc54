package procs

import (
	"context"
	"errors"
	"strings"
	"time"
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

const (
	// again is how often a question is repeated whose answer comes without a signal.
	again = 100 * time.Millisecond
	// answerTime is how long one question may take: a cluster without a leader does not answer at all.
	answerTime = 3 * time.Second
)

// Until asks every 100 ms until the answer is "". It gives the last answer when ctx ends before.
// Each question has 3 s, and a context of its own.
func Until(ctx context.Context, ask func(context.Context) string) (missing string) {
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, answerTime)
		missing = ask(once)
		if cancel(); missing == "" {
			return ""
		}
		select {
		case <-ctx.Done():
			return missing
		case <-tick.C:
		}
	}
}
