package cli

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// Only output whose reader has gone ends a command in silence; a broker that closes the connection is an error to show.
func TestABrokenConnectionIsNoBrokenOutput(t *testing.T) {
	var errs bytes.Buffer
	c := &console{err: &errs}
	if code := c.exitCode(fmt.Errorf("write tcp: %w", syscall.EPIPE)); code != 1 || !strings.Contains(errs.String(), "write tcp: broken pipe") {
		t.Errorf("exit code %d, %q", code, errs.String())
	}
}
