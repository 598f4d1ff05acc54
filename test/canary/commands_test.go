package canary

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/test/procs"
)

// commands runs every command that reads or writes what the workers work on. One that shows an order or a
// parked message shows what the shop has published.
func (s *fixture) commands(env []string) {
	s.Helper()
	evidence := filepath.Join(s.TempDir(), "evidence")
	for _, c := range []struct {
		code int
		args []string
		own  []string
	}{
		{0, []string{"show", "acme/paid", "--json"}, []string{payloadSecret}},
		{0, []string{"show", "acme/returned"}, nil},
		{0, []string{"parked", "list"}, nil},
		{0, []string{"parked", "replay", "--dry-run", "1"}, []string{payloadSecret}},
		{0, []string{"refunds", "list"}, nil},
		{0, []string{"order", "place", "--shop", "acme", "--order", "more", "--currency", "SEK", "--row", "Coffee;1;9.00;25"}, nil},
		{0, []string{"close", "--shop", "acme", "--yes", "--json"}, nil},
		{1, []string{"doctor"}, nil}, // a shop that the provider refuses
		{1, []string{"certify", "--endpoint", s.provider.Endpoint(), "--shop", "refused", "--client-id", "Acme AB", "--out", evidence, "--patience", "1s"}, nil},
	} {
		p := procs.Start(s.T, strings.Join(c.args, " "), s.programs.Seqrflow, c.args, env)
		if code := p.Wait(); code != c.code {
			s.Errorf("seqrflow %s: exit code %d, want %d\n%s", p.Name, code, c.code, p.Out.Text())
		}
		s.search.in("seqrflow "+p.Name, p.Out.Text(), c.own...)
	}
	s.search.folder("the evidence", evidence)
	if found, err := filepath.Glob(filepath.Join(evidence, "report.json")); err != nil || len(found) == 0 {
		s.Errorf("no evidence to search: %v", err)
	}
}

// mistakes runs programs with settings that are wrong, and have a secret in them.
func mistakes(t *testing.T, programs procs.Programs) {
	broker := procs.NewBroker(t, programs, fmt.Sprintf("authorization { user: app, password: %q }\n", brokerPassword))
	down := procs.Ports(t, 2)
	shops, right := shopsFile(t, refusedShop), "nats://app:"+brokerPassword+"@"+broker.Addr
	file := func(name, text string) string { return procs.WriteFile(t, name, text) }
	run := []string{"run", "poller", "--http-listen", "127.0.0.1:0"}
	look := []string{"parked", "list"}
	for _, m := range []struct {
		mistake string
		args    []string
		env     []string
	}{
		{"broker with another password", run, []string{"SEQRFLOW_NATS=nats://app:" + mistakenPassword + "@" + broker.Addr}},
		{"broker with a token instead", run, []string{"SEQRFLOW_NATS=nats://" + brokerToken + "@" + broker.Addr}},
		{"password with a slash", look, []string{"SEQRFLOW_NATS=nats://app:" + mistakenPassword + "/1@" + broker.Addr}},
		{"password with a percent sign", look, []string{"SEQRFLOW_NATS=nats://app:" + mistakenPassword + "%zz@" + broker.Addr}},
		{"port that is none", look, []string{"SEQRFLOW_NATS=nats://app:" + brokerPassword + "@127.0.0.1:port"}},
		{"brokers that are down", look, []string{"SEQRFLOW_NATS=nats://app:" + brokerPassword + "@" + down[0] + ",nats://app:" + mistakenPassword + "@" + down[1]}},
		{"broker that is down, with a token", look, []string{"SEQRFLOW_NATS=nats://" + brokerToken + "@" + down[0]}},
		{"token without a scheme", look, []string{"SEQRFLOW_NATS=" + brokerToken + "@" + down[0]}},
		{"doctor, broker down", []string{"doctor"}, []string{"SEQRFLOW_NATS=nats://app:" + brokerPassword + "@" + down[0], "SEQRFLOW_PROVIDER=http://u:" + providerPassword + "@" + down[1]}},
		{"doctor, provider with a password that is no URL", []string{"doctor"}, []string{"SEQRFLOW_NATS=" + right, "SEQRFLOW_PROVIDER=http://u:" + providerPassword + "/@" + down[1]}},
		{"health, broker down", []string{"health", "--nats", "nats://" + brokerToken + "@" + down[0]}, nil},
		{"health, port that is none", []string{"health", "--nats", "nats://app:" + brokerPassword + "@127.0.0.1:port"}, nil},
		{"health, url with a password", []string{"health", "--url", "http://u:" + providerPassword + "@" + down[0] + "/readyz"}, nil},
		{"provider with a password", run, []string{"SEQRFLOW_NATS=" + right, "SEQRFLOW_PROVIDER=https://u:" + providerPassword + "@127.0.0.1:1/soap"}},
		{"provider that is no URL", run, []string{"SEQRFLOW_NATS=" + right, "SEQRFLOW_PROVIDER=https://u:" + providerPassword + "@127.0.0.1:port/"}},
		{"credentials file that is none", look, []string{"SEQRFLOW_NATS=nats://" + broker.Addr, "SEQRFLOW_NATS_CREDS=" + file("app.creds", fileSecret)}},
		{"shops that are a text", run, []string{"SEQRFLOW_SHOPS_FILE=" + file("a.yaml", "shops: "+fileSecret)}},
		{"shop that is a text", run, []string{"SEQRFLOW_SHOPS_FILE=" + file("b.yaml", "shops: {acme: "+fileSecret+"}")}},
		{"password that is a list", run, []string{"SEQRFLOW_SHOPS_FILE=" + file("c.yaml", "shops: {acme: {terminal: t, password: ["+fileSecret+"]}}")}},
		{"shops file that ends in a password", run, []string{"SEQRFLOW_SHOPS_FILE=" + file("d.yaml", "shops: {acme: {terminal: t, password: \""+fileSecret)}},
		{"shop without a terminal", run, []string{"SEQRFLOW_SHOPS_FILE=" + file("e.yaml", "shops: {acme: {password: "+fileSecret+"}}")}},
		{"settings file that is broken", append([]string{"--config", file("f.yaml", "shops: {acme: {password: "+fileSecret+"}\nnats: ["+fileSecret)}, run...), nil},
		{"settings file with a key that is none", append([]string{"--config", file("g.yaml", "nats-pasword: "+fileSecret+"\n")}, run...), nil},
		{"settings file with a value of the wrong kind", append([]string{"--config", file("h.yaml", "nats: ["+fileSecret+"]\nvalid-for: "+fileSecret+"\n")}, run...), nil},
	} {
		t.Run(m.mistake, func(t *testing.T) {
			p := procs.Start(t, m.mistake, programs.Seqrflow, m.args, append([]string{"SEQRFLOW_SHOPS_FILE=" + shops, "SEQRFLOW_LOG_LEVEL=debug"}, m.env...))
			if code := p.Wait(); code == 0 {
				t.Errorf("exit code 0: this is no mistake\n%s", p.Out.Text())
			}
			if p.Out.Text() == "" {
				t.Error("it says nothing")
			}
			s := search{t: t}
			s.in("the output", p.Out.Text())
			s.report()
		})
	}
}

// up runs everything in one process, with a shop's own credentials.
func up(t *testing.T, programs procs.Programs) {
	s := &fixture{T: t, programs: programs, sandboxLog: procs.NewOutput(), search: search{t: t}}
	data := filepath.Join(t.TempDir(), "data")
	addrs := procs.Ports(t, 2)
	process := procs.Start(t, "up", s.programs.Seqrflow, []string{"up", "--data", data, "--nats-listen", addrs[0], "--sandbox-listen", addrs[1],
		"--http-listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0", "--log-level", "debug", "--shops-file", shopsFile(t, ""), // a sandbox gives a terminal one password
		"--connections-file", connectionsFile(t)}, nil)
	http := strings.TrimSuffix(strings.Fields(process.Await("health "))[0], "/readyz,")
	gateway := strings.Fields(process.Await("gateway "))[0]
	s.bus = procs.Connect(t, "nats://"+addrs[0], 1)
	s.useGateway(gateway)
	s.place("acme", "1")
	reference := s.issued("1")
	for _, page := range []string{"/", "/R" + reference, "/ledger", "/faults"} {
		s.page("the sandbox's "+page, "http://"+addrs[1]+page)
	}
	s.page("the metrics", http+"/metrics")
	if err := process.Stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(data, "sandbox")); err != nil {
		t.Error(err)
	}
	s.search.folder("the sandbox's folder", filepath.Join(data, "sandbox"))
	s.search.folder("the broker's folder", filepath.Join(data, "nats"), payloadSecret)
	s.search.in("its log", process.Out.Text())
	s.search.report()
}
