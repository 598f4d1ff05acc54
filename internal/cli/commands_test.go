package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// leaf commands by their names, such as "parked list", in the order of --help.
func commands(t *testing.T) (names []string, nodes map[string]*kong.Node) {
	t.Helper()
	var r root
	k, err := parser(&r, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	nodes = map[string]*kong.Node{}
	for _, n := range k.Model.Leaves(true) {
		name := strings.Join(strings.Fields(n.FullPath())[1:], " ")
		name, _, _ = strings.Cut(name, " <")
		name, _, _ = strings.Cut(name, " [")
		names, nodes[name] = append(names, name), n
	}
	return names, nodes
}

const commandsFile = "../../docs/commands.md"

// The list of commands in the documentation is generated from their help.
func TestTheListOfCommandsIsAsTheirHelpSays(t *testing.T) {
	names, nodes := commands(t)
	var want strings.Builder
	want.WriteString("# Commands\n\n`seqrflow <command> --help` has the flags and examples. This list is generated: `UPDATE=1 go test ./internal/cli`.\n\n| command | does |\n|---|---|\n")
	for _, name := range names {
		if nodes[name].Help == "" {
			t.Errorf("%s: nothing says what it does", name)
		}
		fmt.Fprintf(&want, "| `seqrflow %s` | %s |\n", name, nodes[name].Help)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(commandsFile, []byte(want.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(commandsFile); err != nil || string(got) != want.String() {
		t.Errorf("%s is not as the commands' help says (%v): UPDATE=1 go test ./internal/cli", commandsFile, err)
	}
}

func TestEveryCommandHasHelpAndATest(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range append(files, sources...) {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(strings.ReplaceAll(string(body), `", "`, " ")) // "parked", "list" in Go is parked list
	}
	names, _ := commands(t)
	for _, name := range names {
		var out, errs bytes.Buffer
		if code := Run(t.Context(), append(strings.Fields(name), "--help"), strings.NewReader(""), &out, &errs); code != 0 || !strings.Contains(out.String(), "Usage: seqrflow "+name) {
			t.Errorf("%s --help: exit code %d\n%s%s", name, code, out.String(), errs.String())
		}
		if !strings.Contains(name, " ") && name != "version" && !strings.Contains(out.String(), "\nExample") {
			t.Errorf("%s: its Help has no example", name)
		}
		if !strings.Contains(text.String(), `"`+name) && !strings.Contains(text.String(), "seqrflow "+name) {
			t.Errorf("%s: no test runs it", name)
		}
	}
}

// At the top of a settings file, shops: has the shops' credentials; for run it names those whose messages are taken.
func TestASettingsFileSaysWhichShopsRunServes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seqrflow.yaml")
	if err := os.WriteFile(file, []byte("shops: {acme: {terminal: t, password: a-secret}}\nrun: {shops: [acme, beta]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var r root
	k, err := parser(&r, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Parse([]string{"--config", file, "run", "all"}); err != nil || !slices.Equal(r.Run.Shops, []string{"acme", "beta"}) {
		t.Errorf("%q, %v", r.Run.Shops, err)
	}
	if _, err := k.Parse([]string{"--config", file, "doctor"}); err != nil || len(r.Doctor.Shops) > 0 {
		t.Errorf("%q, %v", r.Doctor.Shops, err)
	}
}

// The broker that a settings file names for all commands is not what health is to ask.
func TestASettingsFileLeavesOpenWhatHealthAsks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seqrflow.yaml")
	if err := os.WriteFile(file, []byte("nats: nats://broker:4222\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"--url", "http://127.0.0.1:8686/readyz"}} {
		var r root
		k, err := parser(&r, io.Discard, io.Discard, func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Parse(append([]string{"--config", file, "health"}, args...)); err != nil || r.Health.NATS != "" {
			t.Errorf("health %v asks the broker %q, %v", args, r.Health.NATS, err)
		}
	}
}
