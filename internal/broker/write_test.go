package broker_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/seqrflow/seqrflow/internal/broker"
)

func config(shops ...string) broker.Config {
	return broker.Config{Listen: "127.0.0.1:4222", StoreDir: "/data", Shops: shops}
}

func write(t *testing.T, dir string, shops ...string) []broker.Change {
	t.Helper()
	changes, err := broker.Write(dir, config(shops...), false)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// files are the contents of a folder by the names of its files.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[name] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t *testing.T, dir, name, body string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

func pair(t *testing.T, create func() (nkeys.KeyPair, error)) (seed, public string) {
	t.Helper()
	p, err := create()
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err = p.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return string(s), public
}

func TestKeysAreNeverOverwrittenAndShopsStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	write(t, dir, "acme")
	first := files(t, dir)
	for name := range first {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".nk") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", name, info.Mode())
		}
	}
	changes := write(t, dir, "beta") // acme is not named
	second := files(t, dir)
	for name, body := range first {
		if strings.HasPrefix(name, "keys/") && second[name] != body {
			t.Errorf("%s was changed", name)
		}
	}
	if len(second) != len(first)+2 || second["keys/shop-beta.nk"] == "" || second["keys/shop-beta.pub"] == "" {
		t.Errorf("%d files, then %d", len(first), len(second))
	}
	for _, shop := range []string{"SHOP_acme", "SHOP_beta"} {
		if !strings.Contains(second["nats.conf"], shop) {
			t.Errorf("nats.conf lacks %s", shop)
		}
	}
	if !slices.Contains(changes, broker.Change{File: "nats.conf", Action: broker.Rewrite}) || !slices.Contains(changes, broker.Change{File: "keys/poller.pub", Action: broker.Keep}) {
		t.Errorf("said %v", changes)
	}
	for _, ch := range write(t, dir) {
		if ch.Action != broker.Keep {
			t.Errorf("a third run, with nothing new, says %v", ch)
		}
	}
}

func TestNoSeedIsInTheConfigurationOrTheNote(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "acme")
	all := files(t, dir)
	for name, body := range all {
		if !strings.HasSuffix(name, ".nk") {
			continue
		}
		for _, other := range []string{"nats.conf", "README.txt"} {
			if strings.Contains(all[other], strings.TrimSpace(body)) {
				t.Errorf("%s has the seed of %s", other, name)
			}
		}
		if !strings.Contains(all["README.txt"], name) {
			t.Errorf("README.txt does not say what %s is for", name)
		}
	}
}

// A seed that was moved to its process, or that a shop never gave away, is not made anew: that would lock it out.
func TestPublicHalfIsEnough(t *testing.T) {
	dir := t.TempDir()
	write(t, dir)
	before := files(t, dir)["nats.conf"]
	if err := os.Remove(filepath.Join(dir, "keys/poller.nk")); err != nil {
		t.Fatal(err)
	}
	_, public := pair(t, nkeys.CreateUser)
	put(t, dir, "keys/shop-own.pub", public+"\n")
	write(t, dir)
	after := files(t, dir)
	if after["keys/poller.nk"] != "" || after["keys/shop-own.nk"] != "" {
		t.Error("a seed was made although there is a public key")
	}
	poller := strings.TrimSpace(after["keys/poller.pub"])
	if !strings.Contains(before, poller) || !strings.Contains(after["nats.conf"], poller) || !strings.Contains(after["nats.conf"], public) {
		t.Error("nats.conf lacks a public key")
	}
}

// A run that was killed between the two halves of a key goes on with the seed.
func TestSeedWithoutItsPublicHalfIsKept(t *testing.T) {
	dir := t.TempDir()
	seed, public := pair(t, nkeys.CreateUser)
	put(t, dir, "keys/poller.nk", seed)
	write(t, dir)
	all := files(t, dir)
	if all["keys/poller.nk"] != seed || strings.TrimSpace(all["keys/poller.pub"]) != public {
		t.Error("the seed was not kept, or its public half not written")
	}
}

func TestWhatIsWrongIsNamedAndNothingIsWritten(t *testing.T) {
	userSeed, user := pair(t, nkeys.CreateUser)
	_, user2 := pair(t, nkeys.CreateUser)
	accountSeed, account := pair(t, nkeys.CreateAccount)
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a configuration of another hand":   {map[string]string{"nats.conf": "listen: 4222\n"}, []string{"nats.conf was not written by this command"}},
		"a seed that is none":               {map[string]string{"keys/poller.nk": "hello"}, []string{"keys/poller.nk", "SU"}},
		"an account's seed":                 {map[string]string{"keys/poller.nk": accountSeed}, []string{"keys/poller.nk", "SU"}},
		"an account's public key":           {map[string]string{"keys/poller.pub": account}, []string{"keys/poller.pub", "U"}},
		"halves of two keys":                {map[string]string{"keys/poller.nk": userSeed, "keys/poller.pub": user2}, []string{"poller.pub", "poller.nk"}},
		"one key for two":                   {map[string]string{"keys/poller.pub": user, "keys/refunder.pub": user}, []string{"poller and refunder have the same key"}},
		"two mistakes":                      {map[string]string{"keys/poller.pub": "x", "keys/refunder.nk": "y"}, []string{"poller.pub", "refunder.nk"}},
		"a shop's file with a strange name": {map[string]string{"keys/shop-a.b.pub": user}, []string{`"a.b"`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, body := range c.files {
				put(t, dir, file, body)
			}
			before := files(t, dir)
			_, err := broker.Write(dir, config(), false)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
			for _, secret := range []string{userSeed, accountSeed} {
				if strings.Contains(err.Error(), secret) {
					t.Error("the error has a seed")
				}
			}
			if after := files(t, dir); len(after) != len(before) {
				t.Errorf("%d files became %d", len(before), len(after))
			}
		})
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	changes, err := broker.Write(dir, config("acme"), true)
	if err != nil || !slices.Contains(changes, broker.Change{File: "keys/shop-acme.nk", Action: broker.Create}) {
		t.Errorf("%v, %v", changes, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made")
	}
	done := write(t, dir, "acme")
	if !slices.Equal(changes, done) {
		t.Errorf("the dry run said\n%v\nand then was done\n%v", changes, done)
	}
}

func TestCheckNamesEveryWrongFlag(t *testing.T) {
	err := broker.Config{Listen: "4222", Monitor: "x:y", Shops: []string{"a.b"}, TLSCert: "c", TLSCA: ""}.Check()
	for _, want := range []string{"--listen", "--monitor", "--store-dir", "--tls-cert and --tls-key", "--shop"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	if err := (broker.Config{Listen: "127.0.0.1:1", StoreDir: "/d", TLSCA: "ca"}).Check(); err == nil || !strings.Contains(err.Error(), "--tls-ca") {
		t.Error(err)
	}
}
