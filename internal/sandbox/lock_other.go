//go:build !unix

package sandbox

import "os"

// lockFile does nothing: there is no flock on this system.
func lockFile(*os.File) error { return nil }
