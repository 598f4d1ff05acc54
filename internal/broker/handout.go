package broker

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// SeedFile is the name that every user's key has in its folder of a hand-out.
const SeedFile = "user" + seedSuffix

// handOutFile is a file that one process gets.
type handOutFile struct {
	name string // absolute
	body string
	mode fs.FileMode
}

// handOut says which file goes to which process: to each user that has a folder of its name its key and the
// authority, and to the server, in the folder nats, its configuration and certificate. Only the owner of the command
// can read a key.
func (c Config) handOut(dir string, keys []key, conf string, certificates map[string]string) ([]handOutFile, error) {
	if c.HandOut == "" {
		return nil, nil
	}
	root, err := filepath.Abs(c.HandOut)
	if err != nil {
		return nil, err
	}
	var out []handOutFile
	for _, k := range keys {
		to := filepath.Join(root, k.user)
		if !isFolder(to) {
			continue
		}
		seed := k.seed
		if seed == nil {
			seed, err = os.ReadFile(filepath.Join(dir, KeysFolder, k.user+seedSuffix))
			if errors.Is(err, fs.ErrNotExist) { // it was moved to where it is used
				continue
			} else if err != nil {
				return nil, err
			}
		}
		if ca := certificates[CAFile]; ca != "" {
			out = append(out, handOutFile{filepath.Join(to, CAFile), ca, 0o444})
		}
		out = append(out, handOutFile{filepath.Join(to, SeedFile), string(bytes.TrimSpace(seed)) + "\n", 0o400})
	}
	if to := filepath.Join(root, NATSFolder); isFolder(to) {
		if certificates != nil {
			out = append(out, handOutFile{filepath.Join(to, ServerKey), certificates[ServerKey], 0o400}, handOutFile{filepath.Join(to, CertFile), certificates[CertFile], 0o444})
		}
		out = append(out, handOutFile{filepath.Join(to, ConfFile), conf, 0o444})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("--hand-out: no folder in %s has the name of a user, or is %s", root, NATSFolder)
	}
	return out, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
