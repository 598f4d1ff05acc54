package cli_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// words takes a line apart as a shell does, single quotes only.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// What "up" tells a person to copy and paste has to do what it says.
func TestTheLinesThatUpPrintsReallyWork(t *testing.T) {
	t.Parallel()
	s, url, _ := up(t)
	s.until(`^  .* show acme/2001`)
	var place []string
	pub := ""
	for _, l := range s.read {
		if strings.Contains(l, "order place") {
			place = words(l)
			place = place[slices.Index(place, "order"):]
		}
		if strings.Contains(l, "nats --server") {
			pub = l
		}
	}
	has(t, good(t, place...), "stored  orders.acme.2001.placed")
	sees(t, url, "2001", "issued")

	w := words(pub) // nats --server URL pub SUBJECT BODY
	if len(w) != 6 || w[3] != "pub" {
		t.Fatalf("the nats line is %q", w)
	}
	nc, err := nats.Connect(w[2])
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Publish(w[4], []byte(w[5])); err != nil {
		t.Fatal(err)
	}
	sees(t, url, "2002", "issued")
	ends(t, s)
}

func TestTheFirstCallThatTheSandboxPrintsReallyWorks(t *testing.T) {
	t.Parallel()
	s := start(t, "sandbox", "--listen", "127.0.0.1:0", "--clock", "manual", "--log-level", "error")
	endpoint := s.until(`^  SOAP endpoint +(\S+)$`)
	s.until(`clock/advance`)
	_, rest, _ := strings.Cut(strings.Join(s.read, "\n"), "--data '")
	body, _, _ := strings.Cut(rest, "'")
	resp, err := http.Post(endpoint, "text/xml; charset=utf-8", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(answer, []byte("<resultCode>0</resultCode>")) || !bytes.Contains(answer, []byte("HTTP://SEQR.SE/R")) {
		t.Errorf("%v %s", err, answer)
	}
	if code := s.end(); code != 0 {
		t.Errorf("the sandbox ends with exit code %d: %s", code, s.stderr.String())
	}
}

func TestHealthAsksAURLOrABroker(t *testing.T) {
	t.Parallel()
	s, url, _ := up(t)
	health := s.until(`^  health +(\S+),`)
	has(t, good(t, "health", "--url", health, "--wait", "30s"), "ready") // ready soon after it says where it is
	has(t, good(t, "health", "--nats", url, "--wait", "10s"), "ready")
	if code, _, stderr := run(t, "", "health", "--url", strings.TrimSuffix(health, "readyz")+"nothing"); code != 1 || !strings.Contains(stderr, "404") {
		t.Errorf("%d %s", code, stderr)
	}
	ends(t, s)
	if code, _, stderr := run(t, "", "health", "--url", health); code != 1 || !strings.Contains(stderr, "not ready") {
		t.Errorf("after the end: %d %s", code, stderr)
	}
	if code, _, stderr := run(t, "", "health", "--nats", url); code != 1 || !strings.Contains(stderr, "not ready") {
		t.Errorf("after the end: %d %s", code, stderr)
	}
}
