package broker_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/connections"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// The broker that the compose file starts is the one that the tests run against.
func TestComposesBrokerIsTheEmbeddedOne(t *testing.T) {
	m := regexp.MustCompile(`nats-server/v2 v(\d+\.\d+)\.\d+`).FindStringSubmatch(readFile(t, "go.mod"))
	if m == nil {
		t.Fatal("go.mod has no nats-server")
	}
	for _, file := range []string{"deploy/compose.yaml", "deploy/.env.sample"} {
		if want := fmt.Sprintf("nats:%s-alpine", m[1]); !strings.Contains(readFile(t, file), want) {
			t.Errorf("%s lacks %s", file, want)
		}
	}
}

// Every service has a volume with its own key, no service but setup has another's, and setup fills them all.
func TestComposesServicesSeeTheirOwnKeyOnly(t *testing.T) {
	var file struct {
		Services map[string]struct{ Volumes []string }
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "deploy/compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	processes := []string{broker.NATSFolder}
	for _, r := range broker.Roles(connected) {
		if r.Name != "reader" { // no service is one
			processes = append(processes, r.Name)
		}
	}
	var fills []string
	for _, v := range file.Services["setup"].Volumes {
		if at := strings.Split(v, ":"); strings.HasPrefix(at[0], "key-") {
			name := strings.TrimPrefix(at[0], "key-")
			fills = append(fills, name)
			if at[1] != "/keys/"+name {
				t.Errorf("setup has %s at %s", at[0], at[1])
			}
		}
	}
	if !sameNames(fills, processes) {
		t.Errorf("setup hands out to %v; there are %v", fills, processes)
	}
	if names := imageFolders(t); !sameNames(names, append(processes, "all")) {
		t.Errorf("the image has folders for %v", names)
	}
	for name, s := range file.Services {
		want := []string{"key-" + name + ":/key:ro"}
		switch name {
		case "setup":
			continue
		case "nats":
			want = []string{"key-nats:/keys/nats:ro"}
		case "provision":
			want = []string{"key-provisioner:/key:ro"}
		case "doctor":
			want = []string{"key-operator:/key:ro"}
		case "sandbox":
			want = nil
		}
		keys := slices.DeleteFunc(s.Volumes, func(v string) bool { return !strings.HasPrefix(v, "key") })
		if !slices.Equal(keys, want) {
			t.Errorf("%s has %v, not %v", name, keys, want)
		}
	}
}

// Each service sees the secrets of the shops' connections that it reads, and no others; doctor sees all, for as long as a person runs it.
func TestComposesServicesSeeTheirOwnSecretsOfConnections(t *testing.T) {
	var file struct {
		Services map[string]struct{ Volumes []string }
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "deploy/compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"gateway": {"both", "gateway"}, "notifier": {"both", "notifier"}, "doctor": {"both", "gateway", "notifier"}}
	for name, s := range file.Services {
		var got []string
		for _, v := range s.Volumes {
			if _, at, ok := strings.Cut(v, ":/run/connections/"); ok {
				folder := strings.TrimSuffix(at, ":ro")
				if got = append(got, folder); v != "${CONNECTIONS_DIR:-./connections.sample}/"+folder+":/run/connections/"+folder+":ro" {
					t.Errorf("%s: %s", name, v)
				}
				readFile(t, "deploy/connections.sample/"+folder+"/README.txt") // else Docker makes a folder of root's
			}
		}
		if !sameNames(got, want[name]) {
			t.Errorf("%s sees the secrets of %v, not %v", name, got, want[name])
		}
	}
}

// The sample of the connections file is valid as it is, and as soon as its comments are taken away; each secret lies where the services
// that read it see it.
func TestComposesConnectionsSample(t *testing.T) {
	const sample = "deploy/connections.sample/connections.yaml"
	if f, err := connections.Load("../../" + sample); err != nil || len(f.Connections) > 0 {
		t.Errorf("%+v, %v", f, err)
	}
	_, comments, _ := strings.Cut(readFile(t, sample), "\nconnections: {}\n")
	name := filepath.Join(t.TempDir(), "connections.yaml")
	if err := os.WriteFile(name, []byte(regexp.MustCompile(`(?m)^# ?`).ReplaceAllString(comments, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := connections.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	in := func(folder string, files connections.SecretFiles) {
		for _, file := range files {
			if all = append(all, file); !strings.HasPrefix(file, "/run/connections/"+folder+"/") {
				t.Errorf("%s is not in the folder %s", file, folder)
			}
		}
	}
	acme, fjell, beta := f.Connections["acme"], f.Connections["fjell"], f.Connections["beta"]
	in("gateway", acme.WooCommerce.WebhookSecret)
	in("both", acme.WooCommerce.ConsumerKey)
	in("both", acme.WooCommerce.ConsumerSecret)
	in("both", fjell.Shopify.WebhookSecret)
	in("both", fjell.Shopify.ClientSecret)
	in("gateway", beta.APIToken)
	in("notifier", beta.Webhooks[0].Secrets)
	in("gateway", f.Checkout.Key)
	if n := strings.Count(comments, "/run/connections/"); len(all) != n {
		t.Errorf("%d of %d secrets were looked at", len(all), n)
	}
}

// imageFolders runs the command of the Dockerfile that names the image's folders for keys.
func imageFolders(t *testing.T) []string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^RUN for name in \$\((.*)\); do`).FindStringSubmatch(readFile(t, "deploy/Dockerfile"))
	if m == nil {
		t.Fatal("the Dockerfile makes no folders for keys")
	}
	cmd := exec.Command("sh", "-c", m[1])
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
