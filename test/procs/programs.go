package procs

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Programs are built from this module: seqrflow, and the very nats-server that go.mod names.
type Programs struct{ Seqrflow, NATSServer string }

// Build builds the programs into a fresh folder.
func Build(t testing.TB) Programs {
	t.Helper()
	dir := t.TempDir()
	p := Programs{filepath.Join(dir, "seqrflow"), filepath.Join(dir, "nats-server")}
	for out, pkg := range map[string]string{
		p.Seqrflow:   "github.com/seqrflow/seqrflow/cmd/seqrflow",
		p.NATSServer: "github.com/nats-io/nats-server/v2",
	} {
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", out, pkg)
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, strings.TrimSpace(string(output)))
		}
	}
	return p
}
