package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func names(t *testing.T, targets ...string) []string {
	t.Helper()
	chosen, err := choose(targets)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range chosen {
		out = append(out, c.Name)
	}
	return out
}

func TestTargetsBringWhatTheyNeedInTheTablesOrder(t *testing.T) {
	t.Parallel()
	if got, want := names(t, "receipter", "poller"), []string{"bus", "provider", "poller", "receipter"}; !slices.Equal(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
	if got := names(t, All); len(got) != len(table()) {
		t.Errorf("all is %v", got)
	}
	if _, err := choose([]string{"pooler"}); err == nil || !strings.Contains(err.Error(), "poller") {
		t.Errorf("%v does not tell what there is", err)
	}
}

func settings() Settings {
	free := "127.0.0.1:0"
	return Settings{Replicas: 1, PollInterval: time.Second, ValidFor: time.Minute, HTTPListen: free, GatewayListen: free, ProviderFlags: ProviderFlags{ClientID: "t", ClientReference: "t", ProviderTimeout: time.Second}}
}

func TestAllWrongSettingsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	s := settings()
	s.PollInterval, s.ValidFor, s.NotifyURL, s.HTTPListen = time.Minute, 0, "ftp://x", "8686"
	err := s.Validate()
	for _, flag := range []string{"--poll-interval", "--valid-for", "--notify-url", "--http-listen"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%v does not tell of %s", err, flag)
		}
	}
}

func TestStackIsReadyAndStopsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), Options{Settings: settings(), Targets: []string{All}, NATSListen: "127.0.0.1:0", SandboxListen: "127.0.0.1:0", Data: t.TempDir(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	for path, want := range map[string]string{"/healthz": "alive", "/readyz": "ready", "/metrics": "seqrflow_parked_open 0"} {
		missing := rig.Until(ctx, func(context.Context) string {
			res, err := http.Get(s.URLs.HTTP + path)
			if err != nil {
				return err.Error()
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err == nil && res.StatusCode == http.StatusOK && strings.Contains(string(body), want) {
				return ""
			}
			return fmt.Sprintf("%s: HTTP %d, %v, without %q: %s", path, res.StatusCode, err, want, body)
		})
		if missing != "" {
			t.Fatal(missing)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func TestTakenPortIsToldWithItsFlag(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	o := Options{Settings: settings(), Targets: []string{"natsd", "sandbox", "http"}, NATSListen: "", SandboxListen: "127.0.0.1:0", Data: t.TempDir(), Log: zerolog.Nop()}
	o.HTTPListen = l.Addr().String()
	if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "--http-listen") || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("%v", err)
	}
}

func TestStartGivesUpWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	o := Options{Settings: settings(), Targets: []string{"invoicer"}, Log: zerolog.Nop()}
	o.NATS = "nats://127.0.0.1:1"
	if _, err := Start(ctx, o); err == nil || !strings.Contains(err.Error(), "no broker at nats://127.0.0.1:1") {
		t.Errorf("%v", err)
	}
}

func write(t *testing.T, name, body string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestShops(t *testing.T) {
	t.Parallel()
	secret := write(t, "secret", "from-a-file\n")
	shops, err := LoadShops(write(t, "shops.yaml", `
shops:
  acme: {terminal: t1, password: p1, reseller: r1, reseller_user: "9900", reseller_password: p2}
  "*": {terminal: t2, password_file: `+secret+`}
`), "")
	if err != nil {
		t.Fatal(err)
	}
	if as, ok := shops.Terminal("acme"); !ok || as.ID != "t1" || as.Password.Reveal() != "p1" {
		t.Errorf("acme: %+v", as)
	}
	if as, ok := shops.Terminal("any other"); !ok || as.ID != "t2" || as.Password.Reveal() != "from-a-file" {
		t.Errorf("another: %+v", as)
	}
	if as, terminal, ok := shops.Credentials("acme"); !ok || terminal != "t1" || as.ID != "r1" || as.UserID != "9900" {
		t.Errorf("closing acme: %+v %s", as, terminal)
	}
	if as, terminal, _ := shops.Credentials("any other"); terminal != "t2" || as.ID != "t2" {
		t.Errorf("closing another: %+v %s", as, terminal)
	}
	if _, ok := (ShopList{}).Terminal("acme"); ok {
		t.Error("a shop that is not there has credentials")
	}
}

func TestBadShopsAreNamedAndTheirSecretsAreNot(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"shops: {acme: {password: hunter2}}":                                               "shops.acme.terminal: missing",
		"shops: {acme: {terminal: t1}}":                                                    "shops.acme.password: missing",
		"shops: {acme: {terminal: t1, password_file: /nowhere/at/all}}":                    "shops.acme.password_file:",
		"shops: {acme: {terminal: t1, password: hunter2, password_file: /nowhere/at/all}}": "shops.acme.password_file: the password is given as well: expected one of the two",
		"shops: {acme: [hunter2]}":                                                         "shops:",
		"other: 1":                                                                         "other: no such key; there are shops",
		"shops: {}":                                                                        "names no shop",
		`shops: {"": {terminal: t1, password: hunter2}}`:                                   `shops: expected the ids of shops as keys, got ""`,
		"shops: {acme: {terminal: t1, password: hunter2, reseller: r}}":                    "shops.acme.reseller_user: missing: expected the reseller's userId at the provider\nshops.acme.reseller_password: missing: expected the password",
		"shops: {acme: {terminal: t1, password: hunter2, reseller_user: u, reseller_password: hunter2}}": "shops.acme.reseller: missing",
		"shops: {acme: {terminal: t1, password: hunter2, earlier_terminals: [{terminal: t0}]}}":          "shops.acme.earlier_terminals[0].password: missing",
		"shops: {acme: {terminal: t1, password: hunter2, reseller_password_file: /nowhere/at/all}}":      "shops.acme.reseller_password_file:",
	} {
		_, err := LoadShops(write(t, "shops.yaml", body), "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want %q", body, err, want)
		}
	}
}

// The closing of a shop that another process serves is left to that process: parked here, it would be nobody's.
func TestReconcilerLeavesOtherShopsClosingsAlone(t *testing.T) {
	t.Parallel()
	o := Options{Settings: settings(), Targets: []string{"natsd", "reconciler"}, NATSListen: "127.0.0.1:0", Data: t.TempDir(), Log: zerolog.Nop()}
	o.Provider, o.ProviderHTTP, o.Shops = "http://127.0.0.1:1/", true, []string{"acme"}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	parked, err := s.Bus.Conn().SubscribeSync("parked.>")
	if err != nil {
		t.Fatal(err)
	}
	for i, shop := range []string{"beta", "beta", "acme", "acme"} { // there are no credentials for either, so what is taken is parked
		if _, err := reconciler.RequestClose(t.Context(), s.Bus, "operator", shop, fmt.Sprint("p", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		m, err := parked.NextMsg(rig.Patience)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(m.Subject, "parked.reconciler.acme.") {
			t.Errorf("%s: taken by a reconciler that is to take acme's only", m.Subject)
		}
	}
}

func TestUnknownKeysOfAShopsFileAreNamedWithTheNearestKnownOne(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "shops.yaml")
	body := "shosp: 1\nshops:\n  acme:\n    terminl: t\n    pasword_file: /x\n    reseller_usr: u\n    earlier_terminals: [{terminal: a, password-file: b}]\n"
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadShops(file, "")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		file, "shosp: no such key; did you mean shops?", "shops.acme.terminl: no such key; did you mean terminal?", "shops.acme.pasword_file: no such key; did you mean password_file?",
		"shops.acme.reseller_usr: no such key; did you mean reseller_user?", "shops.acme.earlier_terminals[0].password-file: no such key; did you mean password_file?",
		"shops.acme.terminal: missing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	if err := os.WriteFile(file, []byte("nats: nats://x\nshops: {acme: {terminal: t, password: p}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadShops("", file); err != nil {
		t.Errorf("a settings file has flags too: %v", err)
	}
	if shops, err := LoadShops("", write(t, "flags.yaml", "nats: nats://x\n")); err != nil || len(shops) > 0 {
		t.Errorf("a settings file with flags alone: %v, %v", shops, err)
	}
}
