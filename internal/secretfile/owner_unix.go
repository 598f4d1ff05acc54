//go:build unix

package secretfile

import (
	"os"
	"syscall"
)

func ownerOf(file string) owner {
	info, err := os.Stat(file)
	if err != nil {
		return owner{}
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}
	}
	return owner{true, int(s.Uid), info.Mode()}
}
