package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"time"
)

// process is a sandbox in a process of its own, on one processor.
type process struct {
	cmd      *exec.Cmd
	endpoint string
	read     chan struct{} // closed when its output has ended
}

// endpointLine is the line in which a sandbox prints its SOAP endpoint.
var endpointLine = regexp.MustCompile(`SOAP endpoint\s+(http://\S+)`)

// patienceToStop is how long a process may take to end before it is killed.
const patienceToStop = 5 * time.Second

// spawn starts the program, and returns when it has printed its endpoint.
func spawn(ctx context.Context, program []string) (*process, error) {
	if len(program) == 0 {
		return nil, errors.New("no program to start a sandbox with")
	}
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patienceToStop
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, read: make(chan struct{})}
	lines := bufio.NewScanner(out)
	for p.endpoint == "" && lines.Scan() {
		if found := endpointLine.FindStringSubmatch(lines.Text()); found != nil {
			p.endpoint = found[1]
		}
	}
	go func() {
		defer close(p.read)
		_, _ = io.Copy(io.Discard, out) // the rest of the output is for people
	}()
	if p.endpoint == "" {
		return nil, errors.Join(fmt.Errorf("%s ended without telling its endpoint", program[0]), p.end())
	}
	return p, nil
}

// end stops the process and waits until it has ended.
func (p *process) end() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	defer time.AfterFunc(patienceToStop, func() { _ = p.cmd.Process.Kill() }).Stop()
	<-p.read
	return p.cmd.Wait()
}

func (p *process) pid() int { return p.cmd.Process.Pid }
