package procs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for a signal before it fails. It is never how long anything takes.
const Patience = 2 * time.Minute

// grace is how long a process may take to end when it is asked to.
const grace = 15 * time.Second

// Process is one run of a program.
type Process struct {
	Name string
	Out  *Output // standard output and standard error, interleaved

	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of its end
}

// Start starts a program, which is killed when the test ends. A test that fails shows what the program wrote last.
func Start(t testing.TB, name, program string, args, env []string) *Process {
	t.Helper()
	p := &Process{Name: name, Out: NewOutput(), t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = append(inherited(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Out, p.Out
	p.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread lives exactly as long as the child
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s wrote last:\n%s", name, p.Out.tail(4000))
		}
	})
	return p
}

// inherited is the environment without the settings of the person who runs the test.
func inherited() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// Kill ends the process as kill -9 does, and waits until it has ended.
func (p *Process) Kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("kill %s: %v", p.Name, err)
	}
	<-p.ended
}

// Stop asks the process to end as a deploy does, waits at most 15 s, and gives the error with which it ended.
func (p *Process) Stop() error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("stop %s: %v", p.Name, err)
	}
	timer := time.AfterFunc(grace, func() {
		p.t.Errorf("%s did not end within %s of being asked", p.Name, grace)
		p.Kill()
	})
	defer timer.Stop()
	<-p.ended
	return p.err
}

// Wait waits until the process ends by itself, and gives its exit code.
func (p *Process) Wait() int {
	p.t.Helper()
	timer := time.AfterFunc(Patience, func() {
		p.t.Errorf("%s has not ended within %s", p.Name, Patience)
		p.Kill()
	})
	defer timer.Stop()
	<-p.ended
	return p.cmd.ProcessState.ExitCode()
}

// Await waits for a line that has the text, and gives what follows the text in it.
func (p *Process) Await(text string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), Patience)
	defer cancel()
	rest, err := p.Out.await(ctx, text, p.ended)
	if err != nil {
		p.t.Fatalf("%s: waiting for %q: %v", p.Name, text, err)
	}
	return rest
}

// Output is what a process has written so far. It is safe for concurrent use.
type Output struct {
	mu   sync.Mutex
	all  []byte
	more chan struct{} // closed when there is more
}

// NewOutput is an empty output.
func NewOutput() *Output { return &Output{more: make(chan struct{})} }

// Write implements io.Writer.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, b...)
	close(o.more)
	o.more = make(chan struct{})
	return len(b), nil
}

// Text is everything that was written.
func (o *Output) Text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.all)
}

func (o *Output) tail(n int) string {
	all := o.Text()
	return all[max(0, len(all)-n):]
}
