package rules

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/connections"
)

func read(t *testing.T, file string) string {
	t.Helper()
	body, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// service is what the rules look at of a service in the compose file.
type service struct {
	Command     []string
	Volumes     []string
	Environment map[string]string
}

// missing says what a process lacks outside of its folder and its row.
func missing(p app.Target, services map[string]service, readme, operations string, roles []broker.Role) []string {
	var out []string
	s := services[p.Name]
	if !slices.Equal(s.Command, []string{"run", p.Name}) {
		out = append(out, "deploy/compose.yaml has no service that runs it")
	}
	if !slices.Contains(s.Volumes, "key-"+p.Name+":/key:ro") {
		out = append(out, "its service in deploy/compose.yaml has not its key")
	}
	if !slices.Contains(services["setup"].Volumes, "key-"+p.Name+":/keys/"+p.Name) {
		out = append(out, "setup in deploy/compose.yaml gives it no key")
	}
	if shops := s.Environment["SEQRFLOW_SHOPS_FILE"] != ""; shops != p.Credentials {
		out = append(out, "its service in deploy/compose.yaml has the shops' credentials against its row, or lacks them")
	}
	row := regexp.MustCompile("(?m)^\\| `services/\\*` \\|.*$").FindString(readme)
	if !strings.Contains(row, "`"+p.Name+"`") {
		out = append(out, "the map in README.md does not name it")
	}
	if !regexp.MustCompile("(?m)^\\| [^|]*`" + p.Name + "`[^|]* \\|").MatchString(operations) {
		out = append(out, "the table of keys in docs/operations.md does not name it")
	}
	if !slices.ContainsFunc(roles, func(r broker.Role) bool { return r.Name == p.Name }) {
		out = append(out, "it has no role at the broker")
	}
	return out
}

func TestWhatBelongsToAWorkerIsThere(t *testing.T) {
	var compose struct{ Services map[string]service }
	if err := yaml.Unmarshal([]byte(read(t, "deploy/compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	readme, operations, roles := read(t, "README.md"), read(t, "docs/operations.md"), broker.Roles(connections.File{})
	for _, p := range app.Processes() {
		for _, what := range missing(p, compose.Services, readme, operations, roles) {
			t.Errorf("%s: %s", p.Name, what)
		}
	}
	workers, err := os.ReadDir("../../services")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range workers {
		if !slices.ContainsFunc(app.Processes(), func(p app.Target) bool { return p.Name == folder.Name() }) {
			t.Errorf("services/%s has no row in internal/app/table.go", folder.Name())
		}
	}
	unknown := app.Target{Name: "forgotten", Credentials: true}
	if found := missing(unknown, compose.Services, readme, operations, roles); len(found) != 7 {
		t.Errorf("of a worker without anything only this is missed: %q", found)
	}
}
