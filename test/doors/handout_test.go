package doors

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/natsauth"
)

// handedOut is a server on what was handed out to it, with certificates of its own making.
func handedOut(t *testing.T) (cfg broker.Config, f *fixture, connect func(user string) (*nats.Conn, error)) {
	dir, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"nats", "poller", "operator"} {
		if err := os.Mkdir(filepath.Join(to, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cfg = broker.Config{
		Listen: "127.0.0.1:-1", StoreDir: filepath.Join(dir, "streams"), HandOut: to, TLSSelfSigned: true, TLSNames: []string{"localhost", "127.0.0.1"},
	}
	f = &fixture{T: t, dir: dir}
	f.rewrite(cfg)
	o, err := server.ProcessConfigFile(filepath.Join(to, "nats", broker.ConfFile))
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	f.server = run(t, o)
	return cfg, f, func(user string) (*nats.Conn, error) {
		opts, err := natsauth.Credentials{NATSNKey: filepath.Join(to, user, "user.nk"), NATSCA: filepath.Join(to, user, "ca.pem")}.Options()
		if err != nil {
			return nil, err
		}
		return nats.Connect("tls://"+f.server.Addr().String(), append(opts, nats.NoReconnect())...)
	}
}

func (f *fixture) rewrite(cfg broker.Config) {
	f.Helper()
	if _, err := broker.Write(f.dir, cfg, false); err != nil {
		f.Fatal(err)
	}
}

func TestWhatIsHandedOutIsAllThatProcessAndServerNeed(t *testing.T) {
	t.Parallel()
	_, _, connect := handedOut(t)
	for _, user := range []string{"poller", "operator"} {
		nc, err := connect(user)
		if err != nil {
			t.Errorf("%s: %v", user, err)
			continue
		}
		if _, secure := nc.TLSConnectionState(); secure != nil {
			t.Errorf("%s is connected without TLS: %v", user, secure)
		}
		nc.Close()
	}
}

// The old key is worth nothing after the reload, and the new one is where the process looks for it.
func TestReplacedKeyIsRefusedAfterTheReload(t *testing.T) {
	t.Parallel()
	cfg, f, connect := handedOut(t)
	stolen, err := os.ReadFile(filepath.Join(cfg.HandOut, "poller", "user.nk"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.ReplaceKeys = []string{"poller"}
	f.rewrite(cfg)
	if err := f.server.Reload(); err != nil {
		t.Fatal(err)
	}
	nc, err := connect("poller")
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	thief := filepath.Join(t.TempDir(), "user.nk")
	if err := os.WriteFile(thief, stolen, 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := natsauth.Credentials{NATSNKey: thief, NATSCA: filepath.Join(cfg.HandOut, "poller", "ca.pem")}.Options()
	if err != nil {
		t.Fatal(err)
	}
	if nc, err := nats.Connect("tls://"+f.server.Addr().String(), append(opts, nats.NoReconnect())...); err == nil {
		nc.Close()
		t.Error("the old key is still good")
	}
}

// A certificate of another authority is served after a reload, to clients that have got it in the same run.
func TestOwnCertificateIsServedAfterTheReload(t *testing.T) {
	t.Parallel()
	cfg, f, connect := handedOut(t)
	own := cfg
	own.HandOut = ""
	given := t.TempDir()
	if _, err := broker.Write(given, own, false); err != nil {
		t.Fatal(err)
	}
	cfg.TLSFrom = filepath.Join(given, broker.TLSFolder)
	f.rewrite(cfg)
	if _, err := connect("poller"); err == nil {
		t.Error("a client with the new authority takes the old certificate")
	}
	if err := f.server.Reload(); err != nil {
		t.Fatal(err)
	}
	nc, err := connect("poller")
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}
