package readme

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// walk runs a document of docs/connect: the yaml block is connections.yaml, each sh block runs in one folder, and what the last command
// of it prints is the json block behind it; a text block has what must come in a stream, in this order.
type walk struct {
	t      *testing.T
	bin    string
	folder string
	stack  running
	ran    int
}

func (w *walk) run(page string) {
	w.t.Helper()
	body, err := os.ReadFile(root + "/docs/connect/" + page)
	if err != nil {
		w.t.Fatal(err)
	}
	blocks := fence.FindAllStringSubmatch(string(body), -1)
	for i, b := range blocks {
		kind, text := b[1], b[2]
		nextKind, next := "", ""
		if i+1 < len(blocks) {
			nextKind, next = blocks[i+1][1], blocks[i+1][2]
		}
		switch {
		case kind == "yaml":
			writeFile(w.t, w.folder, "connections.yaml", text)
			if w.stack.stop != nil { // it says that the gateway is restarted
				w.stack.stop()
				w.stack = up(w.t, w.bin, w.folder)
			}
		case kind == "sh" && strings.HasPrefix(text, "seqrflow up --connections-file connections.yaml\n"):
			w.stack = up(w.t, w.bin, w.folder)
		case kind == "sh" && nextKind == "text":
			w.stream(text, strings.Split(strings.TrimSpace(next), "\n"))
		case kind == "sh":
			out := w.stack.shell(w.t, w.folder, text)
			if w.ran++; nextKind == "json" {
				w.compare(text, next, out)
			}
		}
	}
}

// varying are fields whose values differ from run to run.
var varying = []string{"invoiceReference", "qrCode", "link", "checkoutUrl", "issuedAt", "dueAt", "endedAt", "paidAt", "ersReference"}

func (w *walk) compare(command, want, have string) {
	w.t.Helper()
	read := func(text string) (o map[string]any) {
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			w.t.Errorf("%s: %v\n%s", command, err, text)
		}
		for _, name := range varying {
			if v, ok := o[name].(string); ok && v != "" {
				o[name] = "…"
			}
		}
		if o["state"] == "RECEIPTED" {
			o["state"] = "PAID" // the receipter may have been here already
		}
		return o
	}
	if diff := cmp.Diff(read(want), read(have)); diff != "" {
		w.t.Errorf("%s: the document (-) and the program (+)\n%s", command, diff)
	}
}

// stream runs a command until it has printed lines that begin with the given ones, in their order.
func (w *walk) stream(command string, lines []string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	cmd := w.stack.command(ctx, w.folder, "exec "+command)
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	for read := bufio.NewScanner(out); len(lines) > 0 && read.Scan(); {
		if strings.HasPrefix(read.Text(), lines[0]) {
			lines = lines[1:]
		}
	}
	cancel()
	_ = cmd.Wait() // it was ended
	if w.ran++; len(lines) > 0 {
		w.t.Errorf("%s: the stream lacks %q", command, lines)
	}
}

// needs skips a test where the commands of the documents are not there.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip("the documents use ", p, ", which this machine lacks")
		}
	}
}

// The documents of the HTTP API are true: their commands do what they say.
func TestWalkThroughsOfTheHTTPAPI(t *testing.T) {
	needs(t, "sh", "curl", "openssl")
	bin := build(t)
	w := &walk{t: t, bin: bin, folder: t.TempDir()}
	for _, page := range []string{"http-api.md", "app.md"} {
		before := w.ran
		if w.run(page); w.ran-before < 4 {
			t.Errorf("%s: only %d commands were run", page, w.ran-before)
		}
	}
}
