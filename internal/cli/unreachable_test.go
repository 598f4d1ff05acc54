package cli

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats-server/v2/server"
)

// visiting are the commands that go to a broker, with arguments that get them there.
var visiting = map[string][]string{
	"order place": {"--shop", "acme", "--order", "1", "--currency", "SEK", "--row", "Coffee;1;9.00"}, "order cancel": {"--shop", "acme", "--order", "1"},
	"order return": {"--shop", "acme", "--order", "1", "--refund", "r"}, "watch": nil, "show": {"acme/1"}, "ask": {"acme/1"}, "refunds list": nil,
	"refunds resolve": {"acme/1", "r", "--happened", "--by", "Ann"}, "parked list": nil, "parked show": {"1"}, "parked replay": {"1"},
	"deliveries list": nil, "deliveries show": {"acme/1"}, "deliveries resend": {"acme/1", "--destination", "erp"},
	"parked dismiss": {"1", "--by", "Ann", "--reason", "x"}, "close": {"--shop", "acme", "--yes"}, "periods list": nil,
	"broker apply": {"--dry-run"}, "broker restored": {"--yes"}, "doctor": {"--provider", "http://127.0.0.1:1"}, "health": nil, // a sandbox that runs beside the tests changes nothing
}

// staying are long-running: they wait for a broker as long as it takes, and log it.
var staying = []string{"run", "up"}

// faultyBroker is a broker that is not as it should be.
type faultyBroker struct {
	nats   string
	flags  []string
	want   string            // what every command says
	but    map[string]string // of these commands, something else; "" is that they have nothing to complain of
	silent bool              // and within 3 s it says what it waits for
}

func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silentListener accepts connections and says nothing.
func silentListener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().String()
}

// httpServer is an HTTP server: the broker's monitoring port, for instance.
func httpServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close() })
	return l.Addr().String()
}

// natsServer with these options, on a free port.
func natsServer(t *testing.T, o server.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	if o.JetStream {
		o.StoreDir = t.TempDir()
	}
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the broker does not start")
	}
	return s.Addr().String()
}

// selfSigned is a certificate for 127.0.0.1, and a file with it.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func faultyBrokers(t *testing.T) map[string]faultyBroker {
	cert, ca := selfSigned(t)
	mayNothing := &server.User{Username: "u", Password: "p", Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Deny: []string{"$JS.>", "orders.>"}}, Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}}}}
	bare := natsServer(t, server.Options{JetStream: true})
	return map[string]faultyBroker{
		"nothing listens":              {nats: unusedAddress(t), want: "no broker at nats://127.0.0.1:"},
		"a port of something else":     {nats: httpServer(t), want: "is no NATS server"},
		"it says nothing":              {nats: silentListener(t), want: "said nothing for 5s", silent: true, but: map[string]string{"health": "said nothing for 3s"}},
		"TLS that we do not trust":     {nats: natsServer(t, server.Options{TLS: true, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, TLSTimeout: 5}), want: "certificate of the broker at nats://127.0.0.1:"},
		"no TLS where we want it":      {nats: bare, flags: []string{"--nats-ca", ca}, want: "has no TLS", but: map[string]string{"health": ""}},
		"a user that it does not know": {nats: natsServer(t, server.Options{Users: []*server.User{{Username: "u", Password: "p"}}}), want: "refuses the credentials"},
		"a user that may nothing": {nats: "u:p@" + natsServer(t, server.Options{JetStream: true, Users: []*server.User{mayNothing}}), want: "the broker does not let this user do that",
			but: map[string]string{"doctor": "fail  JetStream", "health": "not ready"}},
		"no JetStream": {nats: natsServer(t, server.Options{}), want: "no JetStream", but: map[string]string{
			"doctor": "JetStream", "order place": "nothing on this broker stores", "order cancel": "nothing on this broker stores", "order return": "nothing on this broker stores"}},
		"no streams": {nats: bare, want: "no worker has run on this broker yet", but: map[string]string{
			"doctor": "is not there", "health": "", "broker apply": ""}},
	}
}

// A command that can't do its work says why and ends; while it waits it says for what.
func TestEveryCommandNamesWhatIsWrongWithTheBroker(t *testing.T) {
	names, nodes := commands(t)
	var commands []string
	for _, name := range names {
		if slices.ContainsFunc(nodes[name].Flags, func(f *kong.Flag) bool { return f.Name == "nats" }) && !slices.Contains(staying, name) {
			if _, known := visiting[name]; !known {
				t.Errorf("%q goes to a broker and is not in this test", name)
			}
			commands = append(commands, name)
		}
	}
	if len(commands) != len(visiting) {
		t.Errorf("commands %q, of the test %d", commands, len(visiting))
	}
	// Where nothing answers, commands only wait: all at once. The machine has to give a broker that answers its turn within 5 s: a few
	// commands for each processor.
	turns := make(chan struct{}, 4*runtime.GOMAXPROCS(0))
	all := faultyBrokers(t)
	results := map[string]map[string]chan visitResult{}
	for name, w := range all {
		results[name] = map[string]chan visitResult{}
		for _, command := range commands {
			m := make(chan visitResult, 1)
			results[name][command] = m
			go func() {
				if !w.silent {
					turns <- struct{}{}
					defer func() { <-turns }()
				}
				m <- w.visit(t.Context(), command)
			}()
		}
	}
	for name, w := range all {
		for _, command := range commands {
			t.Run(name+"/"+command, func(t *testing.T) { w.check(t, command, <-results[name][command]) })
		}
	}
}

// givesUp bounds a test; every command gives up long before.
const givesUp = 90 * time.Second

// visitResult is what became of a command that went to a broker.
type visitResult struct {
	code   int
	said   string
	gaveUp bool
}

func (w faultyBroker) visit(ctx context.Context, command string) visitResult {
	args := append(strings.Fields(command), visiting[command]...)
	if command != "health" { // has no flags of its own for TLS
		args = append(args, w.flags...)
	}
	if want, other := w.but[command]; command == "health" && other && want == "" {
		args = append(args, "--wait", givesUp.String()) // a broker that is well may be slow to say so
	}
	args = append(args, "--nats", "nats://"+w.nats)
	ctx, cancel := context.WithTimeout(ctx, givesUp)
	defer cancel()
	var out, errs bytes.Buffer
	code := Run(ctx, args, strings.NewReader(""), &out, &errs)
	return visitResult{code: code, said: out.String() + errs.String(), gaveUp: ctx.Err() == nil}
}

func (w faultyBroker) check(t *testing.T, command string, m visitResult) {
	want := w.want
	if but, other := w.but[command]; other {
		want = but
	}
	switch {
	case !m.gaveUp:
		t.Errorf("did not give up: %s", m.said)
	case want == "" && m.code != 0 || want != "" && m.code == 0, !strings.Contains(m.said, want):
		t.Errorf("exit code %d, want %q:\n%s", m.code, want, m.said)
	case strings.Contains(m.said, "the broker refused the credentials"), strings.Contains(m.said, "did not answer in time"):
		t.Errorf("says twice what is wrong: %s", m.said)
	case w.silent && !strings.Contains(m.said, "waiting for the broker at nats://127.0.0.1:") && command != "health":
		t.Errorf("does not say what it waits for: %s", m.said)
	}
}
