package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// started is the program with a folder for temporary files of its own.
func started(t *testing.T, args ...string) (cmd *exec.Cmd, out *bufio.Reader, closeOut func(), tmp string) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "seqrflow")
	if said, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	tmp = t.TempDir()
	cmd = exec.Command(bin, args...)
	cmd.Env, cmd.Stderr = append(os.Environ(), "TMPDIR="+tmp), os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { stuck.Stop(); r.Close() })
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(r), func() { r.Close() }, tmp
}

// ended waits for the program, and for its exit code.
func ended(t *testing.T, cmd *exec.Cmd, want int) {
	t.Helper()
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Fatal(err)
	case cmd.ProcessState.ExitCode() != want:
		t.Errorf("it ended with %v, want exit code %d", cmd.ProcessState, want)
	}
}

func leavesNothing(t *testing.T, tmp string) {
	t.Helper()
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDemoLeavesNoFolderWhenItsReaderHasSeenEnough(t *testing.T) {
	cmd, out, enough, tmp := started(t, "demo") // demo | head -1
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	enough()
	ended(t, cmd, 141)
	leavesNothing(t, tmp)
}

func TestDemoLeavesNoFolderAfterCtrlC(t *testing.T) {
	cmd, out, _, tmp := started(t, "demo")
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = out.WriteTo(io.Discard) }()
	ended(t, cmd, 1)
	leavesNothing(t, tmp)
}
