// Package readme runs the commands of the README as a newcomer would, so that it cannot lie.
package readme

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

const program = "go run ./cmd/seqrflow"

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

// up is "seqrflow up" on free ports; it gives the broker's address once everything is ready.
func up(t *testing.T, bin string) (broker string) {
	t.Helper()
	cmd := exec.Command(bin, "up", "--nats-listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
		"--gateway-listen", "127.0.0.1:0", "--data", t.TempDir())
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("up ended with %v\n%s", err, log.String())
		}
	})
	ready := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if f := strings.Fields(lines.Text()); len(f) == 2 && f[0] == "broker" {
				ready <- f[1]
			}
		}
	}()
	select {
	case broker = <-ready:
		return broker
	case <-time.After(30 * time.Second):
		t.Fatalf("up is not ready\n%s", log.String())
		return ""
	}
}

func TestCommandsOfTheREADME(t *testing.T) {
	bin := build(t)
	broker := up(t, bin)
	nc, err := nats.Connect(broker)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for _, line := range commands(t) {
		ran[strings.Join(strings.Fields(line)[:2], " ")] = true
		switch {
		case strings.HasPrefix(line, "nats pub "):
			publish(t, nc, js, line)
		case strings.HasPrefix(line, "nats sub "), strings.HasPrefix(line, "go test"), strings.HasPrefix(line, "docker compose"):
			continue // a client that is not ours; this very test; the compose file has a test of its own
		case strings.HasPrefix(line, program+" "):
			run(t, bin, broker, strings.TrimPrefix(line, program+" "))
		default:
			t.Errorf("the README has a command that is not tested: %s", line)
		}
	}
	if !ran["go run"] || !ran["go test"] || !ran["nats pub"] {
		t.Errorf("the README's own commands were not found among %v", ran)
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
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
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
func run(t *testing.T, bin, broker, args string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	watches := strings.HasPrefix(args, "watch")
	if watches {
		args += " --since all"
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+bin+" "+args)
	cmd.Env, cmd.Dir = append(os.Environ(), "SEQRFLOW_NATS="+broker), t.TempDir()
	if !watches {
		out, err := cmd.CombinedOutput()
		// doctor also looks for a provider at its default address, where none is in a test
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
