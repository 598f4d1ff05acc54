package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// claim keeps a second process out of a data folder: two brokers on the same files would spoil them.
// The kernel lets go of the claim when the process ends, however it ends.
func claim(folder string) (release func() error, err error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("the data folder %s is in use by another seqrflow: stop it, or choose another folder with --data", folder), f.Close())
	}
	return f.Close, nil
}
