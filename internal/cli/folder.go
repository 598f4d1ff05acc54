package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// claim keeps a second process out of a data folder: two brokers on the same files would spoil them.
// The kernel ends the claim with the process, however that ends.
func claim(folder string) (release func() error, err error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	lock := flock.New(filepath.Join(folder, "lock"), flock.SetPermissions(0o600))
	if locked, err := lock.TryLock(); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	} else if !locked {
		return nil, fmt.Errorf("the data folder %s is in use by another seqrflow: stop it, or choose another folder with --data", folder)
	}
	return lock.Unlock, nil
}
