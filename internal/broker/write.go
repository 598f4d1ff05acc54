package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the files in the folder that Write fills.
const (
	ConfFile   = "nats.conf"
	ReadmeFile = "README.txt"
	KeysFolder = "keys"
)

// Change is what Write does, or would do, with one file of the folder.
type Change struct {
	File   string // relative to the folder
	Action string // create, rewrite, or keep
}

// The actions.
const (
	Create  = "create"
	Rewrite = "rewrite"
	Keep    = "keep"
)

// Write fills the folder with the configuration, the keys of its users, and a note that says which file goes to
// which process. Keys that are there stay as they are, and shops that have one stay in the configuration. With
// dryRun it only says what it would do.
func Write(dir string, c Config, dryRun bool) ([]Change, error) {
	known, err := shopsWithKeys(filepath.Join(dir, KeysFolder))
	if err != nil {
		return nil, err
	}
	c.Shops = append(slices.Clone(c.Shops), known...)
	slices.Sort(c.Shops)
	c.Shops = slices.Compact(c.Shops)
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := ours(filepath.Join(dir, ConfFile)); err != nil {
		return nil, err
	}
	keys, err := c.keys(filepath.Join(dir, KeysFolder))
	if err != nil {
		return nil, err
	}
	public := map[string]string{}
	for _, k := range keys {
		public[k.user] = k.public
	}
	conf, err := c.Text(public)
	if err != nil {
		return nil, err
	}
	w := writer{dir: dir, dry: dryRun}
	w.folders()
	for _, k := range keys { // before the configuration that needs them
		w.key(k)
	}
	w.file(ConfFile, conf)
	w.file(ReadmeFile, c.readme())
	return w.changes, w.err
}

// keys of all users, those that are there and new ones; every mistake is reported.
func (c Config) keys(dir string) ([]key, error) {
	var keys []key
	var errs []error
	owner := map[string]string{}
	for _, u := range c.Users() {
		k, err := loadKey(dir, u)
		if err == nil && owner[k.public] != "" {
			err = fmt.Errorf("%s and %s have the same key: each user needs its own", owner[k.public], u)
		}
		owner[k.public] = u
		keys, errs = append(keys, k), append(errs, err)
	}
	return keys, errors.Join(errs...)
}

// ours fails where a configuration of another hand would be overwritten.
func ours(file string) error {
	old, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !strings.HasPrefix(string(old), firstLine) {
		err = fmt.Errorf("%s was not written by this command, so it is left alone: move it away or choose another folder", file)
	}
	return err
}

// writer stops at the first error.
type writer struct {
	dir     string
	dry     bool
	changes []Change
	err     error
}

func (w *writer) folders() {
	if w.dry {
		return
	}
	if w.err = os.MkdirAll(w.dir, 0o755); w.err == nil {
		w.err = os.MkdirAll(filepath.Join(w.dir, KeysFolder), 0o700)
	}
}

func (w *writer) key(k key) {
	seed, public := filepath.Join(KeysFolder, k.user+seedSuffix), filepath.Join(KeysFolder, k.user+publicSuffix)
	if k.seed != nil {
		w.do(seed, Create, func(file string) error { return writeNew(file, append(k.seed, '\n'), 0o600) })
	}
	if k.save {
		w.do(public, Create, func(file string) error { return writeNew(file, []byte(k.public+"\n"), 0o644) })
	} else {
		w.do(public, Keep, nil)
	}
}

func (w *writer) file(name, body string) {
	old, err := os.ReadFile(filepath.Join(w.dir, name))
	switch {
	case err == nil && string(old) == body:
		w.do(name, Keep, nil)
	case err == nil:
		w.do(name, Rewrite, func(file string) error { return replace(file, []byte(body), 0o644) })
	default:
		w.do(name, Create, func(file string) error { return replace(file, []byte(body), 0o644) })
	}
}

func (w *writer) do(name, action string, write func(file string) error) {
	if w.err != nil {
		return
	}
	if write != nil && !w.dry {
		w.err = write(filepath.Join(w.dir, name))
	}
	if w.err == nil {
		w.changes = append(w.changes, Change{name, action})
	}
}

func (c Config) readme() string {
	var b strings.Builder
	b.WriteString(`This folder was written by "seqrflow broker config". Run it again after an update of seqrflow, or to add a
shop with --shop: it keeps the keys and rewrites nats.conf and this file.

nats.conf goes to the NATS server (nats-server -c nats.conf; after a change, nats-server --signal reload).
It holds no secret. Each file keys/*.nk is a secret: give it to the one process that it is for, and to nobody else.

`)
	for _, r := range c.roles() {
		fmt.Fprintf(&b, "  %-24s %s\n", filepath.Join(KeysFolder, r.Name+seedSuffix), r.About)
	}
	fmt.Fprintf(&b, "  %-24s %s\n", filepath.Join(KeysFolder, systemUser+seedSuffix), "the server's own figures and events (nats server report)")
	b.WriteString(`
A process is given its key with --nats-nkey FILE or SEQRFLOW_NATS_NKEY; the file must be readable by its user.
Once a key is where it is used, keys/NAME.nk may be removed here; keys/NAME.pub keeps the user in nats.conf.
Users that have only a .pub file keep their secret to themselves: a shop may make its own key and send that half.

To replace a key, remove both of its files and run the command again. To remove a shop, remove both of its files
and run the command without it. Reload the server after either.
`)
	return b.String()
}
