package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/seqrflow/seqrflow/internal/secretfile"
)

// process is a part of the program in a process of its own, on one processor.
type process struct {
	cmd      *exec.Cmd
	endpoint string
	read     chan struct{} // closed when its output has ended
}

// endpointLine is the line in which a sandbox prints its SOAP endpoint.
var endpointLine = regexp.MustCompile(`SOAP endpoint\s+(http://\S+)`)

// healthLine is the line in which a process that runs workers prints where its health is.
var healthLine = regexp.MustCompile(`health\s+(http://\S+)`)

// patienceToStop is how long a process may take to end before it is killed.
const patienceToStop = 5 * time.Second

// spawn starts this program with the arguments, and returns when it has printed a line that matches told, whose first group is where
// it is.
func spawn(ctx context.Context, told *regexp.Regexp, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
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
		if found := told.FindStringSubmatch(lines.Text()); found != nil {
			p.endpoint = found[1]
		}
	}
	go func() {
		defer close(p.read)
		_, _ = io.Copy(io.Discard, out) // the rest of the output is for people
	}()
	if p.endpoint == "" {
		return nil, errors.Join(fmt.Errorf("%s ended without telling its endpoint", self), p.end())
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

// workerProcess is a worker in a process of its own, with a folder for its connections file and secrets.
type workerProcess struct {
	*process
	dir string
}

func (w *workerProcess) end() error { return errors.Join(w.process.end(), os.RemoveAll(w.dir)) }

// startWorker starts the worker of that name at the fixture's broker, with the flags. connections gives the text of the connections
// file; it may write secrets into the folder.
func (f *fixture) startWorker(ctx context.Context, name string, connections func(dir string) (string, error), flags ...string) (w *workerProcess, err error) {
	w = &workerProcess{}
	if w.dir, err = os.MkdirTemp("", "seqrflow-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(w.dir))
		}
	}()
	text, err := connections(w.dir)
	if err != nil {
		return nil, err
	}
	settings := filepath.Join(w.dir, "connections.yaml")
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		return nil, err
	}
	args := append([]string{"run", name, "--nats", f.URLs.NATS, "--connections-file", settings, "--http-listen", "127.0.0.1:0",
		"--log-level", "error", "--log-format", "console"}, flags...)
	w.process, err = spawn(ctx, healthLine, args...)
	return w, err
}

// newSecret makes a secret in a file of the folder.
func newSecret(folder string) (file, secret string, err error) {
	file = filepath.Join(folder, "secret")
	if err = secretfile.Make(file); err == nil {
		secret, err = secretfile.Text(file)
	}
	return file, secret, err
}

// freeAddress gives an address of this machine that is free just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
