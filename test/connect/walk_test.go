package connect

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

const patience = 2 * time.Minute

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// walk is one page of docs/connect while it is followed.
type walk struct {
	t        *testing.T
	blocks   map[string][]string // of the page, by their language
	dir      string              // where the commands are run
	gateway  string
	replace  *strings.Replacer // addresses of the page by those of the test
	js       jetstream.JetStream
	settings []string // environment of the commands
}

// begin reads the page and runs its first commands, which make the secrets. pairs are texts of the page and what they are in the test.
func begin(t *testing.T, page string, pairs ...string) *walk {
	t.Helper()
	body, err := os.ReadFile("../../docs/connect/" + page)
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{t: t, blocks: map[string][]string{}, dir: t.TempDir(), gateway: procs.Ports(t, 1)[0]}
	for _, m := range fence.FindAllStringSubmatch(string(body), -1) {
		w.blocks[m[1]] = append(w.blocks[m[1]], m[2])
	}
	if len(w.blocks["sh"]) != 4 || len(w.blocks["yaml"]) != 1 {
		t.Fatalf("%s has %d blocks of commands and %d of settings, expected 4 (secrets, webhooks, doctor, looking) and 1", page, len(w.blocks["sh"]), len(w.blocks["yaml"]))
	}
	w.replace = strings.NewReplacer(append(pairs, "https://pay.example.com", "http://"+w.gateway)...)
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", w.dir+"/bin/seqrflow", "../../cmd/seqrflow")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.run(w.blocks["sh"][0])
	return w
}

// run runs commands of the page and gives what they write.
func (w *walk) run(commands string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-ec", w.replace.Replace(commands))
	cmd.Dir, cmd.Env = w.dir, append(os.Environ(), append(w.settings, "PATH="+w.dir+"/bin:"+os.Getenv("PATH"))...)
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(commands, "doctor") { // doctor may find this machine wanting
		w.t.Errorf("%s%v\n%s", commands, err, out)
	}
	return string(out)
}

// start starts seqrflow with the page's connections file.
func (w *walk) start() {
	w.t.Helper()
	file := filepath.Join(w.dir, "connections.yaml")
	body := strings.ReplaceAll(w.replace.Replace(w.blocks["yaml"][0]), " secrets/", " "+w.dir+"/secrets/")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if _, err := connections.Load(file); err != nil {
		w.t.Fatal(err)
	}
	up := procs.Start(w.t, "up", w.dir+"/bin/seqrflow", []string{
		"up", "--nats-listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--gateway-listen", w.gateway,
		"--data", filepath.Join(w.dir, "data"), "--connections-file", file,
	}, nil)
	broker, provider := up.Await("  broker "), up.Await("  provider ")
	w.settings = []string{"SEQRFLOW_NATS=" + broker, "SEQRFLOW_PROVIDER=" + provider}
	up.Await("  gateway ")
	nc, err := nats.Connect(broker)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	if w.js, err = jetstream.New(nc); err != nil {
		w.t.Fatal(err)
	}
}

// doctor runs the page's doctor, which finds nothing wrong with the connection.
func (w *walk) doctor(shop string) {
	w.t.Helper()
	out := w.run(w.blocks["sh"][2])
	seen := 0
	for line := range strings.Lines(out) {
		if strings.Contains(line, "connections."+shop) {
			if seen++; !strings.HasPrefix(line, "ok ") {
				w.t.Error(line)
			}
		}
	}
	if seen < 4 {
		w.t.Errorf("doctor says little of the connection:\n%s", out)
	}
}

// await waits for a message on the subject that fits.
func (w *walk) await(stream, subject string, fits func(body []byte) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	c, err := w.js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		m, err := c.Next(jetstream.FetchContext(ctx))
		if err != nil {
			w.t.Fatalf("no %s: %v", subject, err)
		}
		if fits == nil || fits(m.Data()) {
			return
		}
	}
}

func (w *walk) awaitEvent(shop, order string, name events.Name) {
	w.t.Helper()
	w.await(events.InvoicesStream, "invoices."+shop+"."+order+"."+string(name), nil)
}

// awaitTold waits until the shop was told of the event.
func (w *walk) awaitTold(shop, system, order string, name events.Name) {
	w.t.Helper()
	w.await(events.DeliveriesStream, "deliveries."+shop+"."+system+"."+order, func(body []byte) bool {
		a, err := events.DecodeDelivery(body)
		if err != nil {
			w.t.Fatal(err)
		}
		if a.Event == name && a.Status != "delivered" && a.Status != "again" {
			w.t.Fatalf("%s: %s %s", name, a.Status, a.Detail)
		}
		return a.Event == name && a.Status == "delivered"
	})
}

// pay opens the buyer's link, which has the order's amount, and pays in the wallet.
func (w *walk) pay(link, shop, order, amount string) {
	w.t.Helper()
	page := w.get(link, http.StatusOK)
	if !strings.Contains(page, amount) {
		w.t.Errorf("the page at %s does not have the amount %s", link, amount)
	}
	w.get(strings.Replace(link, "key=", "key=x", 1), http.StatusNotFound)
	reference := strings.TrimSpace(w.run("seqrflow show " + shop + "/" + order + " --reference"))
	resp, err := http.Post(strings.TrimSuffix(w.wallet(), "/")+"/wallet/"+reference+"/pay", "", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("pay: %s", resp.Status)
	}
	w.awaitEvent(shop, order, events.EventPaid)
}

// wallet is the address of the sandbox, which is also the provider.
func (w *walk) wallet() string {
	at, _, _ := strings.Cut(strings.TrimPrefix(w.settings[1], "SEQRFLOW_PROVIDER="), "/extclientproxy")
	return at
}

func (w *walk) get(address string, want int) string {
	w.t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		w.t.Fatalf("%s: %s, expected %d; %v", address, resp.Status, want, err)
	}
	return string(body)
}

// look runs the page's last commands, for the order of the test. Nothing is parked.
func (w *walk) look(order string) {
	w.t.Helper()
	last := regexp.MustCompile(`(show \w+/)\d+`).ReplaceAllString(w.blocks["sh"][3], "${1}"+order)
	if out := w.run(last); !strings.Contains(out, order) || !strings.Contains(out, "delivered") {
		w.t.Errorf("%s", out)
	}
	if out := w.run("seqrflow parked list"); strings.Contains(out, "gateway") || strings.Contains(out, "notifier") {
		w.t.Errorf("something is parked:\n%s", out)
	}
}
