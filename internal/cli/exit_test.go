package cli

import (
	"bytes"
	"errors"
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

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestHelpWhoseReaderHasGoneEndsInSilence(t *testing.T) {
	for _, args := range [][]string{nil, {"watch", "--help"}} {
		var errs bytes.Buffer
		if code := Run(t.Context(), args, strings.NewReader(""), closedPipe{}, &errs); code != brokenPipe || errs.Len() > 0 {
			t.Errorf("%v: exit code %d, %q", args, code, errs.String())
		}
	}
}

// An error may quote what a shop or the provider has sent.
func TestNoErrorDrivesTheTerminal(t *testing.T) {
	var errs bytes.Buffer
	c := &console{err: &errs}
	c.exitCode(errors.New("first\x1b[2J\nsecond"))
	if want := "seqrflow: first\uFFFD[2J\nsecond\n"; errs.String() != want {
		t.Errorf("%q, want %q", errs.String(), want)
	}
}
