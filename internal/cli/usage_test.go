package cli_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/cli"
)

// run is one call of the program without a terminal.
func run(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// unusedAddress is an address where nothing listens.
func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestWrongUsageIsExitCode2AndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	noTerminal := filepath.Join(t.TempDir(), "shops.yaml")
	if err := os.WriteFile(noTerminal, []byte("shops: {acme: {password: a-secret}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	terminal := filepath.Join(t.TempDir(), "shops.yaml")
	if err := os.WriteFile(terminal, []byte("shops: {acme: {terminal: t, password: a-secret}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	httpShop := filepath.Join(t.TempDir(), "connections.yaml")
	if err := os.WriteFile(httpShop, []byte("connections: {acme: {webhooks: [{name: erp, url: 'http://shop.example', secret_files: s}]}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	ownDemo := filepath.Join(t.TempDir(), "connections.yaml")
	if err := os.WriteFile(ownDemo, []byte("connections: {demo: {api_token_file: t}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	tabbed := filepath.Join(t.TempDir(), "seqrflow.yaml")
	if err := os.WriteFile(tabbed, []byte("up:\n\tdata: a-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"frobnicate", "seqrflow --help"},
		{"up --config " + tabbed, "settings file: line 2 is indented with a tab"},
		{"order place --shp acme", `did you mean "--shop"?`},
		{"order place --shop acme", "an order needs --order, --currency, --row"},
		{"order place - --total 5", "a file or an order's flags, not both: the orders of - say it themselves, without --total"},
		{"order place - --title x --invoice 1-2", "without --title, --invoice"},
		{"order place - --valid-for 5m", "without --valid-for"},
		{"order place - --shop acme --order 1", "without --shop, --order"},
		{"order place - --no-check --shop acme --order 1 --currency SEK", "without --currency"},
		{"order place - --no-check --shop acme", "without --shop"},
		{"order place --shop a --order 1 --currency SEK --row Coffee;1", "--row 1: expected description;quantity;total"},
		{"order place --shop a --order 1 --currency SEK --row Coffee;1;1e2", "--row 1: total: expected a plain decimal"},
		{"order cancel --shop a", "--order"},
		{"order return --shop a --order 1", "--refund"},
		{"show 1001", "expected <shop>/<invoice>"},
		{"watch --event payed", "there are issued, rejected"},
		{"watch --since yesterday", "expected a time span such as 10m, a sequence number, or all"},
		{"watch --since -5m", "--since"},
		{"parked replay", "sequence numbers"},
		{"parked replay 1 --all", "sequence numbers"},
		{"parked replay 1 --worker poller", "--worker goes with --all"},
		{"parked replay one", "<seq>]: expected the number of a parked message"},
		{"parked replay 12,13", `as "seqrflow parked list" shows it, got "12,13"`},
		{"parked show 0", "expected the number of a parked message"},
		{"parked list --worker poler", `--worker: there is no worker "poler"; there are gateway, invoicer`},
		{"parked replay --all --worker poler", `--worker: there is no worker "poler"; there are gateway, invoicer`},
		{"parked dismiss 1 --by= --reason x", `--by: expected a text, got ""`},
		{"parked dismiss 1 --by Ann --reason=", `--reason: expected a text, got ""`},
		{"refunds resolve acme/1 r --happened --by=", `--by: expected a text, got ""`},
		{"refunds list --shop=", `--shop: expected a text, got ""`},
		{"watch --shop=", `--shop: expected a text, got ""`},
		{"order cancel --shop a --order=", `--order: expected a text, got ""`},
		{"deliveries list --since=-5m", "--since: expected a time span such as 1h, got -5m"},
		{"deliveries list --destination a:b", `--destination: expected the name of a destination, such as woocommerce, got "a:b"`},
		{"deliveries resend a/1 --destination erp --event payed", `--event: there is no event "payed"; there are issued, rejected`},
		{"close --shop a --timeout 0 --yes", "--timeout: expected more than 0, got 0s"},
		{"health --url nowhere", "--url: expected an http or https URL"},
		{"up --nats-listen 4222", `--nats-listen: expected host:port, got "4222"`},
		{"run gateway --nats nats://u:a-secret@[::1", "--nats: the broker's address is not a URL"},
		{"run poller --provider nowhere --shops-file " + terminal, "(--provider, "},
		{"broker config --out " + t.TempDir() + " --tls-name a:b", `--tls-name: expected a host's name or address, got "a:b"`},
		{"run", "<worker>"},
		{"run mailer", "there is no worker \"mailer\"; there are"},
		{"run poller", "--shops-file"},
		{"run poller --shops-file " + noTerminal, "shops.acme.terminal: missing"},
		{"run gateway --connections-file " + httpShop, "connections.acme.webhooks[0].url: expected https"},
		{"up --connections-file /no/such/file", "/no/such/file"},
		{"run poller --poll-interval 1h", "expected 100ms to 5s"},
		{"up --log-level loud", "--log-level"},
		{"sandbox --clock sundial", "--clock"},
		{"close", "--shop"},
		{"bench lifecycle --orders 0", "--orders: expected at least 1, got 0"},
		{"bench poll --invoices 0", "--invoices: expected at least 1, got 0"},
		{"bench fairness --rate 0", "--rate: expected at least 1, got 0"},
		{"bench outage --waiting 0", "--waiting: expected at least 1, got 0"},
		{"bench start --open 0", "--open: expected at least 1, got 0"},
		{"bench hooks --rate 0", "--rate: expected at least 1, got 0"},
		{"bench deliveries --events 0", "--events: expected at least 1, got 0"},
		{"bench checkout --pages 0", "--pages: expected at least 1, got 0"},
		{"up --shop-demo --data " + t.TempDir() + " --connections-file " + ownDemo, `--shop-demo: the connections file has a shop "demo" of its own`},
		{"bench sandbox --seconds 0", "--seconds: expected at least 1, got 0"},
		{"health --url http://x --nats nats://x", "--url"},
		{"health --nats nats://u:a-secret@[::1", "--nats: the broker's address is not a URL"},
		{"version --config /no/such/file", "/no/such/file"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := run(t, "", strings.Fields(c.args)...)
			if code != 2 || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "a-secret") {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
			}
		})
	}
}

func TestHelpIsACommandToo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"doctor"}, {"order", "place"}} {
		code, stdout, _ := run(t, "", append([]string{"help"}, args...)...)
		_, want, _ := run(t, "", append(args, "--help")...)
		if code != 0 || stdout == "" || stdout != want {
			t.Errorf("help %v: exit code %d, %q", args, code, stdout)
		}
	}
	if code, _, stderr := run(t, "", "help", "frobnicate"); code != 2 || !strings.Contains(stderr, "frobnicate") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

func TestWithoutABrokerItSaysHowToStartOne(t *testing.T) {
	t.Parallel()
	nats := "nats://" + unusedAddress(t)
	for _, args := range [][]string{
		{"show", "acme/1"}, {"watch"}, {"parked", "list"}, {"order", "cancel", "--shop", "a", "--order", "1"},
	} {
		code, stdout, stderr := run(t, "", append(args, "--nats", nats)...)
		if code != 1 || stdout != "" || !strings.Contains(stderr, "seqrflow up") || !strings.Contains(stderr, "--nats") {
			t.Errorf("%v: exit code %d, stderr %q", args, code, stderr)
		}
	}
}

func TestInvalidOrdersAreNamedAndNotPublished(t *testing.T) {
	t.Parallel()
	in := `{"shop":"acme","orderId":"1","currency":"SEK","total":"10","rows":[{"description":"a","quantity":"1","total":"10"}]}
{"shop":"acme","orderId":"2","currency":"SEK","total":12.5,"rows":[]}
{"type":"returned","shop":"acme","orderId":"1"}`
	code, stdout, stderr := run(t, in, "order", "place", "-", "--nats", "nats://"+unusedAddress(t))
	if code != 1 || stdout != "" {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
	for _, want := range []string{"nothing was published", "line 2, acme/2 placed: total: expected a decimal string", "line 2, acme/2 placed: rows: expected at least one", "line 3, acme/1 returned: refundId: missing"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
	for stdin, want := range map[string]string{"": "there is no order in it", "{": "line 1: expected a JSON object"} {
		if code, _, stderr := run(t, stdin, "order", "place", "-"); code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit code %d, stderr %q", stdin, code, stderr)
		}
	}
}

// What the settings file gives for the workers is no order's flag; a flag that would be ignored is refused.
func TestAFilesOrdersSayEverythingThemselves(t *testing.T) {
	t.Parallel()
	settings := filepath.Join(t.TempDir(), "seqrflow.yaml")
	if err := os.WriteFile(settings, []byte("valid-for: 5m\nshop: beta\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	order := `{"shop":"acme","orderId":"1","currency":"SEK","total":"10","rows":[{"description":"a","quantity":"1","total":"10"}]}`
	nats := "nats://" + unusedAddress(t)
	if code, _, stderr := run(t, order, "order", "place", "-", "--config", settings, "--nats", nats); code != 1 || !strings.Contains(stderr, "no broker at") {
		t.Errorf("settings beside a file: exit code %d, %s", code, stderr)
	}
	if code, _, stderr := run(t, order, "order", "place", "-", "--no-check", "--shop", "beta", "--order", "2", "--nats", nats); code != 2 || !strings.Contains(stderr, "leave out --shop and --order") {
		t.Errorf("a shop beside a file that can be read: exit code %d, %s", code, stderr)
	}
}

func TestSettingsFlagsBeforeEnvironmentBeforeFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seqrflow.yaml")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	nats := func(name string) string { return "nats://" + name + ".invalid:1" }
	write("nats: " + nats("everywhere") + "\nshow: {nats: " + nats("show") + "}\nshops: {acme: {terminal: t, password: secret}}\n")
	expect := func(name string, args ...string) {
		t.Helper()
		if _, _, stderr := run(t, "", append(args, "--config", file)...); !strings.Contains(stderr, "no broker at "+nats(name)) {
			t.Errorf("%v does not go to %s: %s", args, name, stderr)
		}
	}
	expect("everywhere", "parked", "list")
	expect("show", "show", "a/b")
	t.Setenv("SEQRFLOW_NATS", nats("environment"))
	expect("environment", "show", "a/b")
	expect("flag", "show", "a/b", "--nats", nats("flag"))

	write("natz: x\nup: {dta: y}\nhttp-listen: 127.0.0.1:0\nrun: {gateway_listen: x}\nparked: {list: {wurker: x}}\nxyzzyxyzzy: 1\n")
	code, _, stderr := run(t, "", "version", "--config", file)
	if code != 2 {
		t.Errorf("a file with unknown names: exit code %d", code)
	}
	has(t, stderr, "natz: no such key; did you mean nats?", "up.dta: no such key; did you mean data?", "run.gateway_listen: no such key; did you mean gateway-listen?",
		"parked.list.wurker: no such key; did you mean worker?", "xyzzyxyzzy: no such key; there are ")
	for text, want := range map[string]string{
		"shop: {acme: {terminal: t, password_file: f}}":       "settings file: shop: no such key; did you mean shops?\n",
		"order: {plaec: {shop: a}}":                           "settings file: order.plaec: no such key; did you mean place?\n",
		"poll-interval: 1":                                    "--poll-interval: expected duration but got \"1\": time: missing unit",
		"http-listen: 80":                                     "--http-listen: expected host:port, got \"80\"",
		"provider: 127.0.0.1:8585":                            "--provider: expected an https URL",
		"provider: 'http://u:a-secret@provider.example'":      "--provider: no user name or password may stand in the URL",
		"provider: http://provider.example":                   "--provider: http sends passwords in clear; use https, or set --provider-http",
		"client-reference: a23456789012345678901234567890123": "--client-reference: expected at most 32 characters, got 33",
	} {
		write(text + "\n")
		_, stdout, stderr := run(t, "", "doctor", "--config", file)
		if all := stdout + stderr; !strings.Contains(all, want) || strings.Contains(all, "a-secret") {
			t.Errorf("%s: lacks %q:\n%s", text, want, all)
		}
	}
	write("shops: [")
	if code, _, stderr := run(t, "", "version", "--config", file); code != 2 || !strings.Contains(stderr, "line 1 (shops): expected") {
		t.Errorf("a file that is not YAML: %d %s", code, stderr)
	}
}

func TestDoctorNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	shops := filepath.Join(t.TempDir(), "shops.yaml")
	if err := os.WriteFile(shops, []byte("shops: {acme: {terminal: t, password: abc}, ok: {terminal: t2, password: abcd, reseller: r, reseller_user: u, reseller_password: abcd}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "", "doctor", "--nats", "nats://"+unusedAddress(t), "--provider", "http://"+unusedAddress(t)+"/", "--shops-file", shops)
	if code != 1 || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{
		"ok    no settings file, settings valid",
		`fail  shop "acme": its password has under 4 characters`, `warn  shop "acme" has no reseller`, "ok    2 shops with credentials",
		"fail  provider http://127.0.0.1", "fail  no broker at nats://127.0.0.1",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("stdout lacks %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "abc") {
		t.Errorf("a password is printed:\n%s", stdout)
	}
}

func TestDoctorTriesTheCredentials(t *testing.T) {
	t.Parallel()
	_, _, wallet := up(t)
	shops := filepath.Join(t.TempDir(), "shops.yaml")
	if err := os.WriteFile(shops, []byte("shops: {good: {terminal: demo-terminal, password: demo-secret}, bad: {terminal: demo-terminal, password: wrong-secret}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, _ := run(t, "", "doctor", "--nats", "nats://"+unusedAddress(t), "--provider", wallet+"/extclientproxy/service/v2", "--shops-file", shops)
	if code != 1 || !strings.Contains(stdout, `fail  shop "bad": the provider refuses terminal demo-terminal`) || strings.Contains(stdout, `shop "good": the provider`) || strings.Contains(stdout, "wrong-secret") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestWhatCannotBePrintedIsNoSuccess(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	if code := cli.Run(t.Context(), []string{"version"}, strings.NewReader(""), fullDisk{}, &stderr); code != 1 || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
}
