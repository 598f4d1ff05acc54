package rules

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/seqrflow/seqrflow/"

// layers of the program, the lowest first. A package reaches packages of its own layer and of lower ones, directly or through
// others; a package that is in no layer, such as internal/natsd, may be used by every layer.
var layers = []string{"pkg", "internal/bus", "services", "internal/app", "internal/cli", "cmd"}

// outside is what a package of pkg may use of the rest: seqrtest brings the sandbox to other people's tests.
var outside = map[string][]string{"pkg/seqr/seqrtest": {"internal/sandbox"}}

// layerOf gives the index of the package's layer, and -1 for a package in none.
func layerOf(pkg string) int {
	return slices.IndexFunc(layers, func(l string) bool { return pkg == l || strings.HasPrefix(pkg, l+"/") })
}

// dependencies are the packages of this module, each with all packages of this module that it reaches without its tests.
func dependencies(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		var ours []string
		for _, path := range strings.Fields(line) {
			if pkg, ok := strings.CutPrefix(path, module); ok {
				ours = append(ours, pkg)
			}
		}
		all[ours[0]] = ours[1:]
	}
	return all
}

// mayReach says whether a package may depend on another, both of this module; if not, it says why.
func mayReach(pkg, dep string) (why string, may bool) {
	from, to := layerOf(pkg), layerOf(dep)
	folder := func(path string) string { return strings.Join(strings.Split(path, "/")[:2], "/") }
	switch {
	case from >= 0 && to > from:
		return layers[to] + " is above " + layers[from], false
	case from < 0 && !strings.HasPrefix(pkg, "test/") && to >= layerOf("internal/cli"):
		return "commands are above everything else", false
	case from >= 0 && layers[from] == "pkg" && to != from && !slices.Contains(outside[pkg], dep):
		return "pkg uses nothing of ours outside pkg", false
	case from >= 0 && from == to && layers[from] == "services" && folder(pkg) != folder(dep):
		return "workers never import one another", false
	case !strings.HasPrefix(pkg, "test/") && pkg != "internal/rig" && (strings.HasPrefix(dep, "test/") || dep == "internal/rig"):
		return "what tests need is used by tests only", false
	}
	return "", true
}

func TestNoImportRunsUpward(t *testing.T) {
	all := dependencies(t)
	for _, layer := range layers {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(pkg string) bool { return pkg == layer || strings.HasPrefix(pkg, layer+"/") }) {
			t.Errorf("there is no package in the layer %s", layer)
		}
	}
	for pkg, deps := range all {
		for _, dep := range deps {
			if why, may := mayReach(pkg, dep); !may {
				t.Errorf("%s reaches %s: %s", pkg, dep, why)
			}
		}
	}
}

func TestTheLayersAreToldApart(t *testing.T) {
	for _, c := range []struct {
		pkg, dep string
		may      bool
	}{
		{"internal/demo", "internal/cli/term", false},
		{"internal/demo", "internal/app", true}, // demo is in no layer; what reaches it is held to its own
		{"internal/app", "internal/cli/term", false},
		{"internal/bus", "services/poller", false},
		{"internal/bus", "pkg/events", true},
		{"pkg/seqr", "internal/sandbox", false},
		{"pkg/seqr/seqrtest", "internal/sandbox", true},
		{"services/poller", "services/invoicer", false},
		{"services/poller", "services/poller/wheel", true},
		{"internal/demo", "internal/rig", false},
		{"test/procs", "internal/rig", true},
	} {
		if why, may := mayReach(c.pkg, c.dep); may != c.may {
			t.Errorf("%s to %s: %v %s", c.pkg, c.dep, may, why)
		}
	}
}
