//go:build unix

package sandbox

import (
	"os"
	"syscall"
)

// lockFile keeps two sandboxes from writing one journal. The kernel unlocks the file when the process ends, however it ends.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
