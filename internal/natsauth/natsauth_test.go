package natsauth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/seqrflow/seqrflow/internal/natsauth"
)

func TestWrongCredentialsAreNamedByTheirFlags(t *testing.T) {
	dir := t.TempDir()
	file := func(name, body string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	accountSeed, err := account.Seed()
	if err != nil {
		t.Fatal(err)
	}
	none, secret := filepath.Join(dir, "none"), "SU-not-a-seed-but-secret"
	for name, c := range map[string]struct {
		given natsauth.Credentials
		want  []string
	}{
		"no such files": {natsauth.Credentials{NATSCA: none, NATSCert: none, NATSKey: none, NATSNKey: none}, []string{"--nats-ca: ", "--nats-cert: with --nats-key", "--nats-nkey: "}},
		"no such creds": {natsauth.Credentials{NATSCreds: none}, []string{"--nats-creds: "}},
		"no PEM":        {natsauth.Credentials{NATSCA: file("ca", secret)}, []string{"--nats-ca: ", "no certificate in PEM"}},
		"half a pair":   {natsauth.Credentials{NATSCert: none}, []string{"--nats-cert: needs --nats-key"}},
		"other half":    {natsauth.Credentials{NATSKey: none}, []string{"--nats-key: needs --nats-cert"}},
		"no seed":       {natsauth.Credentials{NATSNKey: file("nk", secret)}, []string{"--nats-nkey: ", "no nkey seed"}},
		"account":       {natsauth.Credentials{NATSNKey: file("ank", string(accountSeed))}, []string{"--nats-nkey: ", "SU"}},
		"two":           {natsauth.Credentials{NATSNKey: none, NATSCreds: none, NATSUser: "u"}, []string{"--nats-nkey and --nats-creds and --nats-user"}},
		"no password":   {natsauth.Credentials{NATSUser: "u"}, []string{"--nats-user: needs --nats-password-file"}},
		"no user":       {natsauth.Credentials{NATSPasswordFile: none}, []string{"--nats-password-file: needs --nats-user"}},
		"empty":         {natsauth.Credentials{NATSUser: "u", NATSPasswordFile: file("pw", "\n")}, []string{"--nats-password-file: ", "empty"}},
		"inbox":         {natsauth.Credentials{NATSInboxPrefix: "a.*"}, []string{"--nats-inbox-prefix: "}},
		"inbox dot":     {natsauth.Credentials{NATSInboxPrefix: "a."}, []string{"--nats-inbox-prefix: "}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.given.Options()
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), string(accountSeed)) {
				t.Error("the error has the secret")
			}
		})
	}
	if opts, err := (natsauth.Credentials{}).Options(); err != nil || len(opts) != 0 {
		t.Errorf("nothing given: %d options, %v", len(opts), err)
	}
}
