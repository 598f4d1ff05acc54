package doors

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/natsauth"
)

// authority signs certificates into files of its folder.
type authority struct {
	*testing.T
	dir  string
	name string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{T: t, dir: t.TempDir(), name: name}
	a.cert, a.key = a.sign(name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// sign writes name.pem and name.key.
func (a *authority) sign(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		a.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.Fatal(err)
		}
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return signed, key
}

func TestBrokerWithTLSTakesOnlyClientsItsAuthorityHasSigned(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t, "ca"), newAuthority(t, "ca")
	ours.sign("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	for _, a := range []*authority{ours, theirs} {
		a.sign("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	}
	dir := t.TempDir()
	cfg := broker.Config{
		Listen: "127.0.0.1:-1", StoreDir: filepath.Join(dir, "streams"),
		TLSCert: ours.file("server.pem"), TLSKey: ours.file("server.key"), TLSCA: ours.file("ca.pem"),
	}
	if _, err := broker.Write(dir, cfg, false); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(filepath.Join(dir, broker.ConfFile))
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	s := run(t, o)
	nkey := filepath.Join(dir, broker.KeysFolder, "poller.nk")
	for _, c := range []struct {
		name  string
		given natsauth.Credentials
		want  string // of the error; "" connects
	}{
		{"all of it", natsauth.Credentials{NATSNKey: nkey, NATSCA: ours.file("ca.pem"), NATSCert: ours.file("client.pem"), NATSKey: ours.file("client.key")}, ""},
		{"no key of a user", natsauth.Credentials{NATSCA: ours.file("ca.pem"), NATSCert: ours.file("client.pem"), NATSKey: ours.file("client.key")}, "uthorization"},
		{"no client certificate", natsauth.Credentials{NATSNKey: nkey, NATSCA: ours.file("ca.pem")}, "tls"},
		{"another's client certificate", natsauth.Credentials{NATSNKey: nkey, NATSCA: ours.file("ca.pem"), NATSCert: theirs.file("client.pem"), NATSKey: theirs.file("client.key")}, "tls"},
		{"another's broker", natsauth.Credentials{NATSNKey: nkey, NATSCA: theirs.file("ca.pem"), NATSCert: ours.file("client.pem"), NATSKey: ours.file("client.key")}, "certificate signed by unknown authority"},
		{"no authority", natsauth.Credentials{NATSNKey: nkey, NATSCert: ours.file("client.pem"), NATSKey: ours.file("client.key")}, "certificate signed by unknown authority"},
	} {
		opts, err := c.given.Options()
		if err != nil {
			t.Fatal(err)
		}
		nc, err := nats.Connect("nats://"+s.Addr().String(), append(opts, nats.NoReconnect())...)
		if err == nil {
			nc.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A client that was told of an authority never falls back to a connection that can be read on the way.
func TestClientWithAnAuthorityRefusesABrokerWithoutTLS(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := newAuthority(t, "ca")
	opts, err := natsauth.Credentials{NATSNKey: filepath.Join(f.dir, broker.KeysFolder, "poller.nk"), NATSCA: a.file("ca.pem")}.Options()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(f.server.ClientURL(), append(opts, nats.NoReconnect())...)
	if err == nil {
		nc.Close()
		t.Error("it connects")
	}
}
