// Package buildinfo says which version of seqrflow the running program is.
package buildinfo

import (
	"cmp"
	"runtime/debug"
)

// Set by the linker in a release: -ldflags "-X github.com/seqrflow/seqrflow/internal/buildinfo.version=1.2.3 -X …revision=…".
var version, revision string

// Info of a build.
type Info struct {
	Version  string // of the release, or what the Go toolchain knows of the module; "(devel)" where that is nothing
	Revision string // the commit, in full; "" is unknown
	Modified bool   // the tree had changes that are in no commit
}

// Read gives the build of the running program: what the linker was told, else what the Go toolchain stamped.
func Read() Info {
	i := Info{Version: version, Revision: revision}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return i
	}
	i.Version = cmp.Or(i.Version, info.Main.Version, "(devel)")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Revision = cmp.Or(i.Revision, s.Value)
		case "vcs.modified":
			i.Modified = s.Value == "true"
		}
	}
	return i
}

// Commit names the first 12 characters of the revision, and says whether there were changes; "" is unknown.
func (i Info) Commit() string {
	if i.Revision == "" {
		return ""
	}
	text := "commit " + i.Revision[:min(12, len(i.Revision))]
	if i.Modified {
		text += " with changes"
	}
	return text
}
