package broker_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/broker"
)

func withTLS(names ...string) broker.Config {
	c := config()
	c.TLSSelfSigned, c.TLSNames = true, names
	return c
}

func writeConfig(t *testing.T, dir string, c broker.Config) []broker.Change {
	t.Helper()
	changes, err := broker.Write(dir, c, false)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// accepts says whether a client that trusts the authority takes the server under that name at that time.
func accepts(t *testing.T, all map[string]string, ca, name string, at time.Time) error {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(all["tls/server.pem"]), []byte(all["tls/server.key"]))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ca)) {
		t.Fatal("no authority")
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at})
	return err
}

func TestSelfSignedCertificateIsGoodForEveryNameAndTenYears(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, withTLS("nats", "localhost", "127.0.0.1"))
	all := files(t, dir)
	for _, name := range []string{"nats", "localhost", "127.0.0.1"} {
		if err := accepts(t, all, all["tls/ca.pem"], name, time.Now().AddDate(9, 11, 0)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := accepts(t, all, all["tls/ca.pem"], "elsewhere", time.Now()); err == nil {
		t.Error("it is good for any name")
	}
	for name, mode := range map[string]os.FileMode{"tls": 0o700, "tls/ca.key": 0o600, "tls/server.key": 0o600, "tls/ca.pem": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if conf := all["nats.conf"]; !strings.Contains(conf, filepath.Join(dir, "tls/server.pem")) || strings.Contains(conf, "verify") {
		t.Error("nats.conf does not name the certificate, or wants clients to have one")
	}
	for _, ch := range writeConfig(t, dir, withTLS("nats", "localhost", "127.0.0.1")) {
		if ch.Action != broker.Keep {
			t.Errorf("a second run says %v", ch)
		}
	}
}

func TestNewNameMakesANewCertificateOfTheSameAuthority(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, withTLS("nats"))
	before := files(t, dir)
	writeConfig(t, dir, withTLS("nats", "broker.example"))
	after := files(t, dir)
	if after["tls/ca.pem"] != before["tls/ca.pem"] || after["tls/ca.key"] != before["tls/ca.key"] {
		t.Error("the authority has changed")
	}
	if err := accepts(t, after, before["tls/ca.pem"], "broker.example", time.Now()); err != nil {
		t.Error(err)
	}
}

// What a run that was killed has left is mended: a key without its certificate, and halves that do not fit.
func TestInterruptedRunsOfTLSAreMended(t *testing.T) {
	other := t.TempDir()
	writeConfig(t, other, withTLS("nats"))
	strange := files(t, other)
	for name, damage := range map[string]func(dir string){
		"only the authority's key": func(dir string) {
			for _, f := range []string{"ca.pem", "server.pem", "server.key"} {
				_ = os.Remove(filepath.Join(dir, "tls", f))
			}
		},
		"no certificate":           func(dir string) { _ = os.Remove(filepath.Join(dir, "tls/server.pem")) },
		"key of the next":          func(dir string) { put(t, dir, "tls/server.key", strange["tls/server.key"]) },
		"authority of another key": func(dir string) { put(t, dir, "tls/ca.pem", strange["tls/ca.pem"]) },
		"half a certificate":       func(dir string) { put(t, dir, "tls/server.pem", "-----BEGIN") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeConfig(t, dir, withTLS("nats"))
			key := files(t, dir)["tls/ca.key"]
			damage(dir)
			writeConfig(t, dir, withTLS("nats"))
			all := files(t, dir)
			if err := accepts(t, all, all["tls/ca.pem"], "nats", time.Now()); err != nil {
				t.Error(err)
			}
			if all["tls/ca.key"] != key {
				t.Error("the authority's key was made anew")
			}
		})
	}
}

func TestCertificateOfAnotherAuthorityIsTakenAndStays(t *testing.T) {
	theirs := t.TempDir()
	writeConfig(t, theirs, withTLS("nats", "broker.example"))
	own := withTLS("nats")
	own.TLSFrom = filepath.Join(theirs, "tls")
	dir := t.TempDir()
	writeConfig(t, dir, withTLS("nats")) // the first start
	changes := writeConfig(t, dir, own)
	if !slices.Contains(changes, broker.Change{File: "tls/ca.key", Action: broker.Remove}) {
		t.Errorf("the key of an authority that is not used any more is kept: %v", changes)
	}
	writeConfig(t, dir, withTLS("nats")) // every start after it
	all, given := files(t, dir), files(t, theirs)
	for _, name := range []string{"tls/ca.pem", "tls/server.pem", "tls/server.key"} {
		if all[name] != given[name] {
			t.Errorf("%s is not the one that was given", name)
		}
	}
	if all["tls/ca.key"] != "" {
		t.Error("there is a key of an authority")
	}
	_, err := broker.Write(dir, withTLS("nats", "elsewhere.example"), false)
	if err == nil || !strings.Contains(err.Error(), "server.pem as elsewhere.example") || !strings.Contains(err.Error(), "--tls-from") {
		t.Errorf("a name that it lacks: %v", err)
	}
	own.TLSNames = []string{"elsewhere.example"}
	if _, err := broker.Write(t.TempDir(), own, false); err == nil || !strings.Contains(err.Error(), "--tls-from") {
		t.Errorf("a certificate that no client would take: %v", err)
	}
	own.TLSFrom = t.TempDir()
	if _, err := broker.Write(t.TempDir(), own, false); err == nil || !strings.Contains(err.Error(), "server.pem") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestHandOutGivesEachProcessItsOwnKeyAndNoOther(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"poller", "nats", "all"} {
		if err := os.Mkdir(filepath.Join(to, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := withTLS("nats")
	c.HandOut = to
	changes := writeConfig(t, dir, c)
	if want := (broker.Change{File: filepath.Join(to, "poller/user.nk"), Action: broker.Create}); !slices.Contains(changes, want) {
		t.Errorf("%v lacks %v", changes, want)
	}
	all, handed := files(t, dir), files(t, to)
	want := map[string]string{
		"poller/user.nk": all["keys/poller.nk"], "poller/ca.pem": all["tls/ca.pem"],
		"nats/nats.conf": all["nats.conf"], "nats/server.pem": all["tls/server.pem"], "nats/server.key": all["tls/server.key"],
	}
	if len(handed) != len(want) {
		t.Errorf("%d files, not %d", len(handed), len(want))
	}
	for name, body := range want {
		if handed[name] == "" || handed[name] != body {
			t.Errorf("%s is %q", name, handed[name])
		}
	}
	for name, mode := range map[string]os.FileMode{"poller/user.nk": 0o400, "nats/server.key": 0o400, "poller/ca.pem": 0o444} {
		if info, err := os.Stat(filepath.Join(to, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if !strings.Contains(all["nats.conf"], filepath.Join(to, "nats/server.pem")) {
		t.Error("nats.conf does not name the certificate where the server has it")
	}
	for _, ch := range writeConfig(t, dir, c) {
		if ch.Action != broker.Keep {
			t.Errorf("a second run says %v", ch)
		}
	}
	c.HandOut = t.TempDir()
	if _, err := broker.Write(dir, c, false); err == nil || !strings.Contains(err.Error(), "--hand-out") {
		t.Errorf("nobody to hand out to: %v", err)
	}
}

func TestReplacedKeyIsNewEverywhereAndTheOthersStay(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(to, "poller"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := config("acme")
	c.HandOut = to
	writeConfig(t, dir, c)
	before := files(t, dir)
	c.ReplaceKeys = []string{"poller"}
	writeConfig(t, dir, c)
	after := files(t, dir)
	for name, body := range before {
		changes := strings.HasPrefix(name, "keys/poller.") || name == "nats.conf"
		if (after[name] != body) != changes {
			t.Errorf("%s: changed %v", name, after[name] != body)
		}
	}
	if files(t, to)["poller/user.nk"] != after["keys/poller.nk"] {
		t.Error("the poller was not given its new key")
	}
	old, public := strings.TrimSpace(before["keys/poller.pub"]), strings.TrimSpace(after["keys/poller.pub"])
	if strings.Contains(after["nats.conf"], old) || !strings.Contains(after["nats.conf"], public) {
		t.Error("nats.conf has the old key")
	}
	if err := os.Remove(filepath.Join(dir, "keys/poller.pub")); err != nil { // what a run leaves that was interrupted
		t.Fatal(err)
	}
	writeConfig(t, dir, c)
	if again := strings.TrimSpace(files(t, dir)["keys/poller.pub"]); again == "" || again == public {
		t.Error("the key is not replaced after a run that was interrupted")
	}
	c.ReplaceKeys = []string{"pollr"}
	if _, err := broker.Write(dir, c, false); err == nil || !strings.Contains(err.Error(), `no user "pollr"`) {
		t.Error(err)
	}
}

func TestAuthorityIsECDSAAndOnlyAnAuthority(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, withTLS("nats"))
	for file, isCA := range map[string]bool{"tls/ca.pem": true, "tls/server.pem": false} {
		block, _ := pem.Decode([]byte(files(t, dir)[file]))
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if cert.PublicKeyAlgorithm != x509.ECDSA || cert.IsCA != isCA || !isCA && slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
			t.Errorf("%s: %v, authority %v, %v", file, cert.PublicKeyAlgorithm, cert.IsCA, cert.ExtKeyUsage)
		}
	}
}
