// Package readme runs the commands of the README as a newcomer would, so that it cannot lie.
package readme

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

const program = "go run ./cmd/seqrflow"

// patience is how long a test waits for a signal before it fails. Nothing ever takes that long, also on a slow machine.
const patience = 2 * time.Minute

var shell = regexp.MustCompile("(?s)```sh\n(.*?)```")

// commands are the lines of the README's shell blocks; one that is continued is joined.
func commands(t *testing.T) []string {
	t.Helper()
	body, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, block := range shell.FindAllStringSubmatch(string(body), -1) {
		for line := range strings.Lines(block[1]) {
			if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, " ") {
				out[len(out)-1] += line
			} else if line != "" {
				out = append(out, strings.TrimSpace(strings.Split(line, "   #")[0]))
			}
		}
	}
	return out
}

func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "seqrflow")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/seqrflow").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// running is a "seqrflow up" with its addresses, and the commands that it tells a newcomer to copy.
type running struct {
	bin, broker, provider, wallet, gateway string
	samples                                []string
	stop                                   func()
}

// up is "seqrflow up" on free ports, in a folder that has connections.yaml; it returns once everything is ready.
func up(t *testing.T, bin, folder string) running {
	t.Helper()
	cmd := exec.Command(bin, "up", "--nats-listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
		"--gateway-listen", "127.0.0.1:0", "--data", filepath.Join(folder, "data"), "--connections-file", "connections.yaml")
	cmd.Dir = folder
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("up ended with %v\n%s", err, log.String())
		}
	})
	t.Cleanup(stop)
	ready := make(chan running, 1)
	go func() {
		r := running{bin: bin, stop: stop}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line := strings.TrimSpace(lines.Text())
			switch f := strings.Fields(line); {
			case strings.HasPrefix(line, bin+" "), strings.HasPrefix(line, "nats "), strings.HasPrefix(line, "curl "):
				if r.samples = append(r.samples, line); strings.HasPrefix(line, bin+" show ") { // the last
					ready <- r
				}
			case len(f) < 2:
			case f[0] == "broker":
				r.broker = f[1]
			case f[0] == "provider":
				r.provider = f[1]
			case f[0] == "gateway":
				r.gateway = f[1]
			case f[0] == "wallet":
				r.wallet = strings.TrimSuffix(f[1], "/")
			}
		}
	}()
	select {
	case r := <-ready:
		return r
	case <-time.After(patience):
		t.Fatalf("up is not ready\n%s", log.String())
		return running{}
	}
}

func TestCommandsOfTheREADME(t *testing.T) {
	needs(t, "sh", "curl")
	bin := build(t)
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, folder, "connections.yaml", "connections: {acme: {api_token_file: secrets/acme-token}}\n")
	writeFile(t, folder, "secrets/acme-token", "a-token-of-the-shop-acme\n")
	stack := up(t, bin, folder)
	nc, err := nats.Connect(stack.broker)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for _, line := range append(commands(t), stack.samples...) {
		line = strings.Replace(line, bin+" ", program+" ", 1) // as it is printed to a user who runs it from the source
		ran[strings.Join(strings.Fields(line)[:2], " ")] = true
		switch {
		case strings.HasPrefix(line, "nats pub "), strings.HasPrefix(line, "nats --server "+stack.broker+" pub "):
			publish(t, nc, js, strings.Replace(line, "--server "+stack.broker+" ", "", 1))
		case strings.HasPrefix(line, "curl ") && strings.Contains(line, "/v1/"):
			if out := stack.shell(t, folder, line); !strings.Contains(out, `"state":"ISSUED"`) {
				t.Errorf("%s: %s", line, out)
			}
		case strings.HasPrefix(line, "curl "):
			stack.curl(t, line)
		case strings.HasPrefix(line, "nats sub "), strings.HasPrefix(line, "go test"), strings.HasPrefix(line, "docker compose"):
			continue // a client that is not ours; this very test; the compose file has a test of its own
		case strings.HasPrefix(line, program+" "):
			stack.run(t, strings.TrimPrefix(line, program+" "))
			awaitIssued(t, js, line)
		default:
			t.Errorf("the README has a command that is not tested: %s", line)
		}
	}
	if !ran["go run"] || !ran["go test"] || !ran["nats pub"] {
		t.Errorf("the README's own commands were not found among %v", ran)
	}
	for _, end := range []string{"invoices.acme.1002.refunded", "invoices.acme.1003.canceled", "invoices.acme.2001.receipted"} {
		await(t, js, end)
	}
	if parked, err := js.Stream(t.Context(), events.ParkedStream); err != nil || parked.CachedInfo().State.Msgs > 0 {
		t.Errorf("following the README and what up prints leaves something parked: %v", err)
		stack.run(t, "parked list")
	}
}

// orderFlags are those of "order place".
var orderFlags = regexp.MustCompile(`order place --shop (\S+) --order (\S+)`)

// awaitIssued waits for the invoice of a placed order, as a newcomer does who reads on.
func awaitIssued(t *testing.T, js jetstream.JetStream, line string) {
	t.Helper()
	if f := orderFlags.FindStringSubmatch(line); f != nil {
		await(t, js, "invoices."+f[1]+"."+f[2]+".issued")
	}
}

// curl does what it would, at this test's wallet; the shell puts the address together.
func (r running) curl(t *testing.T, line string) {
	t.Helper()
	address, ok := strings.CutPrefix(strings.NewReplacer("http://127.0.0.1:8585", r.wallet, program, r.bin).Replace(line), "curl -X POST ")
	if !ok {
		t.Fatalf("not a POST: %s", line)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+address)
	cmd.Env = append(os.Environ(), "SEQRFLOW_NATS="+r.broker)
	url, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	resp, err := http.Post(string(url), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", line, resp.Status)
	}
}

// shell runs commands as they stand in a document, at this test's addresses, and gives what they print.
func (r running) shell(t *testing.T, folder, commands string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := r.command(ctx, folder, commands)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s%s", commands, err, out, errs.String())
	}
	return string(out)
}

// command is a shell that has this test's program and addresses.
func (r running) command(ctx context.Context, folder, commands string) *exec.Cmd {
	commands = strings.NewReplacer("http://127.0.0.1:8787", r.gateway, "http://127.0.0.1:8585", r.wallet).Replace(commands)
	cmd := exec.CommandContext(ctx, "sh", "-ec", commands)
	cmd.Dir, cmd.WaitDelay = folder, time.Second
	cmd.Env = append(os.Environ(), "SEQRFLOW_NATS="+r.broker, "PATH="+filepath.Dir(r.bin)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}

func writeFile(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// publish does what the nats client would, and waits for the invoice.
func publish(t *testing.T, nc *nats.Conn, js jetstream.JetStream, line string) {
	t.Helper()
	subject, body, ok := strings.Cut(strings.TrimPrefix(line, "nats pub "), " ")
	body = strings.Trim(body, "'")
	if !ok || !json.Valid([]byte(body)) {
		t.Fatalf("no subject and JSON: %s", line)
	}
	if err := nc.Publish(subject, []byte(body)); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(strings.Replace(subject, "orders.", "invoices.", 1), ".placed", ".issued", 1)
	await(t, js, want)
}

func await(t *testing.T, js jetstream.JetStream, subject string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cons, err := js.OrderedConsumer(ctx, events.InvoicesStream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cons.Next(jetstream.FetchContext(ctx)); err != nil {
		t.Fatalf("no %s: %v", subject, err)
	}
}

// run runs one command; those that watch for ever are given until their first line.
func (r running) run(t *testing.T, args string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	watches := strings.HasPrefix(args, "watch")
	if watches {
		args += " --since all"
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+r.bin+" "+args)
	cmd.Env, cmd.Dir = append(os.Environ(), "SEQRFLOW_NATS="+r.broker, "SEQRFLOW_PROVIDER="+r.provider), t.TempDir()
	if !watches {
		out, err := cmd.CombinedOutput()
		// doctor may find this machine wanting
		if err != nil && args != "doctor" {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
		return
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "acme/") {
		t.Errorf("%s: %q, %v", args, line, err)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s ended with %v", args, err)
	}
}
