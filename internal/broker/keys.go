package broker

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nkeys"
)

const (
	seedSuffix   = ".nk"
	publicSuffix = ".pub"
)

// key is one user's pair of files in the folder of keys. The seed may have been moved to the process that uses
// it, or never have been here, when a shop gave the public half alone.
type key struct {
	user   string
	public string
	seed   []byte // only of a new key; written, then forgotten
	save   bool   // the public half is not in a file yet
	fresh  bool   // replaces the key that is there
}

// loadKey reads what there is of a user's key, and makes one where there is nothing. It writes nothing.
func loadKey(dir, user string) (key, error) {
	k := key{user: user}
	public, err := os.ReadFile(filepath.Join(dir, user+publicSuffix))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	k.public = strings.TrimSpace(string(public))
	if k.public != "" && !nkeys.IsValidPublicUserKey(k.public) {
		return k, fmt.Errorf("%s: not the public key of a user (it begins with U)", filepath.Join(dir, user+publicSuffix))
	}
	seedFile := filepath.Join(dir, user+seedSuffix)
	seed, err := os.ReadFile(seedFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && k.public != "":
		return k, nil
	case errors.Is(err, fs.ErrNotExist):
		return newKey(user)
	case err != nil:
		return k, err
	}
	public2, err := publicOf(bytes.TrimSpace(seed))
	if err != nil {
		return k, fmt.Errorf("%s: not the seed of a user's key (it begins with SU)", seedFile)
	}
	if k.public != "" && k.public != public2 {
		return k, fmt.Errorf("%s is not the other half of %s: remove the one that is wrong", user+publicSuffix, seedFile)
	}
	k.save, k.public = k.public == "", public2
	return k, nil
}

func publicOf(seed []byte) (string, error) {
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return "", err
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err == nil && !nkeys.IsValidPublicUserKey(public) {
		err = nkeys.ErrInvalidPublicKey
	}
	return public, err
}

func newKey(user string) (key, error) {
	k := key{user: user, save: true}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return k, err
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	if err != nil {
		return k, err
	}
	k.seed = bytes.Clone(seed) // Wipe overwrites the pair's own
	k.public, err = pair.PublicKey()
	return k, err
}

// shopsWithKeys are the shops' tokens that have a file in the folder: a run that does not name a shop must not
// lock it out.
func shopsWithKeys(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, f := range files {
		for _, suffix := range []string{seedSuffix, publicSuffix} {
			if name, ok := strings.CutSuffix(f.Name(), suffix); ok && strings.HasPrefix(name, shopPrefix) {
				out = append(out, strings.TrimPrefix(name, shopPrefix))
			}
		}
	}
	return out, nil
}

// writeNew makes a file that must not be there yet, and has it on disk before it returns.
func writeNew(file string, body []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Sync(), f.Close())
}

// replace writes a file whole or not at all.
func replace(file string, body []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(body)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
