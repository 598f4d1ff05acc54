package cli

import (
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Run prints the version, the commit it was built from and the Go release.
func (versionCmd) Run(c *console) error {
	v, commit := version()
	c.say("seqrflow %s %s %s/%s%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit)
	return nil
}

// version as the Go toolchain stamped it into the binary.
func version() (version, commit string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)", ""
	}
	version = info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	dirty := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = " commit " + s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = " with changes"
			}
		}
	}
	return version, commit + dirty
}
