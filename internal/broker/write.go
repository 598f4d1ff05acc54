package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Names of the files in the folder that Write fills.
const (
	ConfFile   = "nats.conf"
	ReadmeFile = "README.txt"
	KeysFolder = "keys"
)

// Change is what Write does, or would do, with one file of the folder.
type Change struct {
	File   string // relative to the folder; absolute where it is handed out
	Action string // create, rewrite, keep, or remove
}

// The actions.
const (
	Create  = "create"
	Remove  = "remove"
	Rewrite = "rewrite"
	Keep    = "keep"
)

// WrongSettings is an error of [Config.Check].
type WrongSettings struct{ error }

// Write fills the folder with the configuration, the keys of its users, and a note that says which file goes to
// which process. Keys that are there stay as they are, and shops that have one stay in the configuration. With
// dryRun it only says what it would do.
func Write(dir string, c Config, dryRun bool) ([]Change, error) {
	known, err := shopsWithKeys(filepath.Join(dir, KeysFolder))
	if err != nil {
		return nil, err
	}
	c.Shops = append(slices.Clone(c.Shops), known...)
	settings, err := c.settings()
	if err != nil {
		return nil, err
	}
	if c, err = c.withCertificatePaths(dir); err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, WrongSettings{err}
	}
	if err := checkAuthor(filepath.Join(dir, ConfFile)); err != nil {
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
	conf, err := c.conf(settings, public)
	if err != nil {
		return nil, err
	}
	certificates, err := c.certificates(filepath.Join(dir, TLSFolder), time.Now())
	if err != nil {
		return nil, err
	}
	handOut, err := c.handOut(dir, keys, conf, certificates)
	if err != nil {
		return nil, err
	}
	w := writer{dir: dir, dry: dryRun}
	w.folders()
	for _, k := range keys { // before the configuration that needs them
		w.key(k)
	}
	w.certificates(c, certificates)
	w.file(ConfFile, conf, 0o644)
	w.file(ReadmeFile, c.readme(), 0o644)
	for _, f := range handOut {
		w.file(f.name, f.body, f.mode)
	}
	return w.changes, w.err
}

// keys of all users, those that are there and new ones; every mistake is reported.
func (c Config) keys(dir string) ([]key, error) {
	var keys []key
	var errs []error
	owner := map[string]string{}
	for _, u := range c.Users() {
		k, err := loadKey(dir, u)
		if err == nil && slices.Contains(c.ReplaceKeys, u) && k.seed == nil {
			k, err = newKey(u)
			k.fresh = true
		}
		if err == nil && owner[k.public] != "" {
			err = fmt.Errorf("%s and %s have the same key: each user needs its own", owner[k.public], u)
		}
		owner[k.public] = u
		keys, errs = append(keys, k), append(errs, err)
	}
	return keys, errors.Join(errs...)
}

// checkAuthor fails if the file is there and this command has not written it.
func checkAuthor(file string) error {
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
	if k.fresh {
		// Without its public half an old seed is still whole, should this be interrupted.
		w.do(public, Rewrite, os.RemoveAll)
		w.do(seed, Rewrite, func(file string) error { return replace(file, append(k.seed, '\n'), 0o600) })
	} else if k.seed != nil {
		w.do(seed, Create, func(file string) error { return writeNew(file, append(k.seed, '\n'), 0o600) })
	}
	if k.save {
		w.do(public, Create, func(file string) error { return writeNew(file, []byte(k.public+"\n"), 0o644) })
	} else {
		w.do(public, Keep, nil)
	}
}

// file writes one file whole, unless it is there with that content and mode.
func (w *writer) file(name, body string, mode fs.FileMode) {
	old, err := os.ReadFile(w.path(name))
	action := Rewrite
	switch info, serr := os.Stat(w.path(name)); {
	case err == nil && serr == nil && string(old) == body && info.Mode().Perm() == mode:
		w.do(name, Keep, nil)
		return
	case errors.Is(err, fs.ErrNotExist):
		action = Create
	}
	w.do(name, action, func(file string) error { return replace(file, []byte(body), mode) })
}

func (w *writer) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(w.dir, name)
}

func (w *writer) do(name, action string, write func(file string) error) {
	if w.err != nil {
		return
	}
	if write != nil && !w.dry {
		w.err = write(w.path(name))
	}
	if w.err == nil {
		w.changes = append(w.changes, Change{name, action})
	}
}

func (c Config) readme() string {
	var b strings.Builder
	b.WriteString(`This folder was written by "seqrflow broker config". Run it again after an update of seqrflow, or to add a
shop with --shop: it keeps the keys and every setting that is not given, and rewrites nats.conf and this file.

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

To replace a key, run the command with --replace-key NAME. To remove a shop, remove both of its files
and run the command without it. Reload the server after either.

With --tls-self-signed or --tls-from there is a folder tls: ca.pem goes to every client (--nats-ca), server.pem and
server.key to the server. ca.key signs new certificates and goes nowhere.
`)
	return b.String()
}
