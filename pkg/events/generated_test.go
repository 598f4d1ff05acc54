package events

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGeneratedFilesAreTheTables: the documentation's tables, and the list of every step with its actors, are those of
// state.go and nothing else. UPDATE=1 writes them anew; what has changed then shows in the review.
func TestGeneratedFilesAreTheTables(t *testing.T) {
	const docs, from, to = "../../docs/events.md", "<!-- states: generated from pkg/events -->\n", "<!-- /states -->"
	before, rest, begins := strings.Cut(read(t, docs), from)
	_, after, ends := strings.Cut(rest, to)
	if !begins || !ends {
		t.Fatalf("%s has no generated part", docs)
	}
	for file, want := range map[string]string{docs: before + from + documentation() + to + after, "testdata/steps.txt": everyStep()} {
		have := read(t, file)
		switch {
		case have == want:
		case os.Getenv("UPDATE") != "":
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s is not what the tables say; UPDATE=1 go test ./pkg/events writes it anew\n%s", file, cmp.Diff(have, want))
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// everyStep asks for each state and event where it leads and who may record it, so it has what looplab/fsm makes of the table.
func everyStep() string {
	var b strings.Builder
	for _, from := range States() {
		for _, e := range Names() {
			for _, full := range []bool{false, true} {
				to, err := Next(from, e, full)
				if err == nil && (!full || e == EventRefunded) {
					fmt.Fprintf(&b, "%-9s  %-16s  %-9s  %s\n", from, label(e, full), to, list(RecordersOf(from, e)))
				}
			}
		}
	}
	return b.String()
}

// documentation is the diagram and the three tables.
func documentation() string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n")
	for _, t := range Transitions() {
		for _, from := range t.From {
			src := string(from)
			if from == None {
				src = "[*]"
			}
			fmt.Fprintf(&b, "    %s --> %s: %s\n", src, t.to(from), t.label())
		}
	}
	b.WriteString("```\n\n| state | the payment | meaning |\n|---|---|---|\n")
	for _, r := range stateTable {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.state, r.stage, r.about)
	}
	b.WriteString("\n| from | event | to | recorded by | when |\n|---|---|---|---|---|\n")
	for _, t := range Transitions() {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", list(t.From), t.On, same(t.To), list(t.By), t.When)
	}
	return b.String()
}

func same(to State) State {
	if to == "" {
		return "same"
	}
	return to
}

func list[T ~string](all []T) string {
	var out []string
	for _, one := range all {
		out = append(out, string(one))
	}
	return strings.Join(out, ", ")
}
