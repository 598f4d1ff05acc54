package cli

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/seqrflow/seqrflow/internal/buildinfo"
)

type versionCmd struct{}

func (versionCmd) Run(c *console) error {
	b := buildinfo.Read()
	c.say("%s", strings.TrimSpace(fmt.Sprintf("seqrflow %s %s %s/%s %s", b.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, b.Commit())))
	return nil
}
