package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/cli"
)

// started is a long-running command of the program.
type started struct {
	t      *testing.T
	stop   context.CancelFunc
	lines  *bufio.Scanner
	read   []string // so far
	stderr bytes.Buffer
	code   func() int
	out    *io.PipeReader
}

// patience is how long a test waits for a signal before it fails.
const patience = 40 * time.Second

func start(t *testing.T, args ...string) *started {
	t.Helper()
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	s := &started{t: t, stop: stop, lines: bufio.NewScanner(r), out: r, code: sync.OnceValue(func() int { return <-ended })}
	go func() {
		code := cli.Run(ctx, args, strings.NewReader(""), w, &s.stderr)
		_ = w.Close()
		ended <- code
	}()
	t.Cleanup(func() { s.end() })
	return s
}

// until reads lines until one matches, and gives its first group.
func (s *started) until(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.AfterFunc(patience, func() { _ = s.out.CloseWithError(errors.New("not within " + patience.String())) })
	defer late.Stop()
	for s.lines.Scan() {
		s.read = append(s.read, s.lines.Text())
		if m := re.FindStringSubmatch(s.lines.Text()); m != nil {
			return m[len(m)-1]
		}
	}
	s.t.Fatalf("the output ended before %q: %v\n%s", pattern, s.lines.Err(), strings.Join(s.read, "\n"))
	return ""
}

// end stops the command as Ctrl-C does, and gives its exit code.
func (s *started) end() int {
	s.stop()
	for s.lines.Scan() { // so that nothing blocks in writing
	}
	return s.code()
}

// up is the whole stack on free ports.
func up(t *testing.T, flags ...string) (s *started, nats, wallet string) {
	t.Helper()
	return resume(t, t.TempDir(), flags...)
}

func resume(t *testing.T, data string, flags ...string) (s *started, nats, wallet string) {
	t.Helper()
	free := "127.0.0.1:0"
	s = start(t, append([]string{"up", "--data", data, "--nats-listen", free, "--sandbox-listen", free, "--http-listen", free, "--gateway-listen", free, "--log-level", "error"}, flags...)...)
	return s, s.until(`^  broker +(\S+)$`), s.until(`^  wallet +(\S+)/ `)
}

// sees waits for an event of the invoice.
func sees(t *testing.T, nats, invoice, event string) {
	t.Helper()
	w := start(t, "watch", "--nats", nats, "--since", "all", "--invoice", invoice, "--event", event)
	w.until(` ` + event + ` `)
	if code := w.end(); code != 0 {
		t.Errorf("watch ends with exit code %d: %s", code, w.stderr.String())
	}
}

func good(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := run(t, "", args...)
	if code != 0 {
		t.Fatalf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// refuses expects a command to end with this exit code, and to say why.
func refuses(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	if got, _, stderr := run(t, "", args...); got != code || !strings.Contains(stderr, want) {
		t.Errorf("%v: exit code %d, want %d and %q:\n%s", args, got, code, want, stderr)
	}
}

func has(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

func TestOneOrderFromItsPlacingToTheClosingOfThePeriod(t *testing.T) {
	t.Parallel()
	s, nats, wallet := up(t)

	has(t, good(t, "order", "place", "--nats", nats, "--shop", "acme", "--order", "no 7.1", "--currency", "SEK",
		"--row", "Kaffe, 500 g;1;99.00;12", "--row", "Mugg;2;150.00;25"), "stored  orders.acme.x-")
	sees(t, nats, "no 7.1", "issued")
	ref := strings.TrimSpace(good(t, "show", "--nats", nats, "acme/no 7.1", "--reference"))
	resp, err := http.Post(wallet+"/wallet/"+ref+"/pay", "", nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the buyer cannot pay: %v %v", resp, err)
	}
	resp.Body.Close()
	sees(t, nats, "no 7.1", "receipted")
	provider := "--provider=" + wallet + "/extclientproxy/service/v2"
	has(t, good(t, "ask", "acme/no 7.1", "--nats", nats, provider), "answered 0 SUCCESS", "state         RECEIPTED", "  PAID\n", "The two agree.")
	has(t, good(t, "ask", "acme/no 7.1", "--nats", nats, provider, "--json"), `"state":"RECEIPTED"`, `"status":"PAID"`, `"agree":true`)
	refuses(t, 1, "there is no invoice acme/1 here", "ask", "acme/1", "--nats", nats, provider)
	refuses(t, 1, "the provider does not answer", "ask", "acme/no 7.1", "--nats", nats, "--provider", "http://"+unusedAddress(t)+"/")
	refuses(t, 2, "no shops: the provider wants the shop's credentials", "ask", "acme/no 7.1", "--nats", nats, "--provider", "https://seqr.example/")
	has(t, good(t, "order", "return", "--nats", nats, "--shop", "acme", "--order", "no 7.1", "--refund", "r-1", "--amount", "49.50", "--reason", "bruten"), "returned")
	sees(t, nats, "no 7.1", "refunded")

	has(t, good(t, "show", "--nats", nats, "acme/no 7.1", "--qr"),
		"order placed", "249.00 SEK", "NONE → ISSUED", "sendInvoice → 0", "ISSUED → PAID", "PAID → RECEIPTED", "order returned", "refund r-1 -49.50 SEK",
		"bruten", "acme/no 7.1  RECEIPTED  249.00 SEK", "refunded           49.50 SEK", "HTTP://SEQR.SE/R"+ref, "▀")
	var whole struct {
		State   string
		Current struct{ Refunded string }
		History []struct{ Stream, Subject string }
	}
	if err := json.Unmarshal([]byte(good(t, "show", "--nats", nats, "acme/no 7.1", "--json")), &whole); err != nil {
		t.Fatal(err)
	}
	if whole.State != "RECEIPTED" || whole.Current.Refunded != "49.50" && whole.Current.Refunded != "49.5" || len(whole.History) != 7 || whole.History[0].Stream != "ORDERS" {
		t.Errorf("show --json: %+v", whole)
	}

	refuses(t, 2, "nothing was closed: nobody can be asked here; add --yes", "close", "--nats", nats, "--shop", "acme", "--period", "day 1")
	has(t, good(t, "periods", "list", "--nats", nats), "no period was asked for")
	has(t, good(t, "close", "--nats", nats, "--shop", "acme", "--period", "day 1", "--yes"), "reconciled", "1 sale 249.00, 1 refund 49.50")
	has(t, good(t, "close", "--nats", nats, "--shop", "acme", "--period", "day 1", "--json"), `"state":"RECONCILED"`)
	_, _, stderr := run(t, "", "close", "--nats", nats, "--shop", "acme", "--period", "day 2", "--yes")
	has(t, stderr, "terminal demo-terminal (the last was day 1 of acme, at ", "with 0 payments and 0 refunds recorded since, of no shop so far.")
	refuses(t, 1, `there has never been an order of the shop "nobody else"`, "close", "--nats", nats, "--shop", "nobody else", "--yes")
	refuses(t, 1, "Go on waiting with: seqrflow close --shop 'nobody else' --period", "close", "--nats", nats, "--shop", "nobody else", "--yes", "--without-orders", "--timeout", "1ms")
	has(t, good(t, "periods", "list", "--nats", nats, "--shop", "acme"), "day 1", "reconciled", "demo-terminal")
	has(t, good(t, "periods", "list", "--nats", nats, "--json"), `"period":"day 1","state":"RECONCILED"`)
	has(t, good(t, "doctor", "--nats", nats, "--provider", wallet+"/extclientproxy/service/v2"),
		"ok    JetStream is on", "ok    stream INVOICES", "ok    clock agrees", "ok    provider", "ok    nothing is parked")
	ends(t, s)
}

// ends stops the stack as Ctrl-C does: in good order. When it is not drained within 4.5 s, the exit code is not 0.
func ends(t *testing.T, s *started) {
	t.Helper()
	if code := s.end(); code != 0 {
		t.Errorf("it ends with exit code %d: %s", code, s.stderr.String())
	}
}

func TestWhatCannotBeReadIsParkedShownAndReplayed(t *testing.T) {
	t.Parallel()
	s, nats, _ := up(t)
	parked := func(seq string) {
		t.Helper()
		w := start(t, "watch", "--nats", nats, "--since", seq, "--parked", "--orders", "--json")
		w.until(`"stream":"PARKED".*parked\.parked`)
		w.end()
	}
	if code, stdout, stderr := run(t, `{"shop":"acme","orderId":"bad 1","currency":"SEK","total":12.5,"rows":[]}`, "order", "place", "-", "--no-check", "--nats", nats); code != 0 {
		t.Fatal(stdout, stderr)
	}
	parked("1")
	if code, _, stderr := run(t, "not JSON\x1b[2J", "order", "place", "-", "--no-check", "--shop", "acme", "--order", "bad2", "--nats", nats); code != 0 {
		t.Fatal(stderr)
	}
	parked("2")

	list := good(t, "parked", "list", "--nats", nats)
	has(t, list, "invoicer", "orders.acme.bad2.placed", "data.total: expected a decimal string", "parked")
	if strings.Contains(list, "\x1b") {
		t.Error("what a shop wrote reaches the terminal as it is")
	}
	has(t, good(t, "parked", "list", "--nats", nats, "--worker", "poller"), "nothing is parked")
	has(t, good(t, "parked", "show", "1", "--nats", nats), "message 2 of ORDERS", `"orderId":"bad 1"`, "parked replay 1 --dry-run")
	has(t, good(t, "parked", "show", "2", "--nats", nats, "--json"), `"status":"parked"`, `"text":"not JSON`)
	has(t, good(t, "show", "--nats", nats, "acme/bad 1"), "order placed", "as message 1", "no worker has recorded anything")
	has(t, good(t, "parked", "replay", "--all", "--dry-run", "--nats", nats), "would replay  1", "would replay  2", "would be parked again")
	if n := strings.Count(good(t, "parked", "list", "--nats", nats, "--json"), `"status":"parked"`); n != 2 {
		t.Errorf("after a dry run %d messages are parked, expected 2", n)
	}
	if out := good(t, "parked", "replay", "1", "1", "--nats", nats); strings.Count(out, "replayed  1") != 1 {
		t.Errorf("a message that is named twice is replayed once, got:\n%s", out)
	}
	parked("4") // 3 is the replay, 4 is the same order parked again
	list = good(t, "parked", "list", "--nats", nats, "--open")
	if strings.Contains(list, "\n  1 ") || !strings.Contains(list, "\n  2 ") || !strings.Contains(list, "\n  4 ") {
		t.Errorf("open after the replay of 1:\n%s", list)
	}
	if code, _, stderr := run(t, "", "parked", "replay", "3", "--nats", nats); code != 1 || !strings.Contains(stderr, "is the replay of the parked message 1") {
		t.Errorf("a replay was replayed: %d %s", code, stderr)
	}
	refused := func(want string, args ...string) {
		t.Helper()
		if code, stdout, stderr := run(t, "", append(args, "--nats", nats)...); code != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
	refused("nothing was replayed: parked message 1 was replayed at", "parked", "replay", "1")
	refused("and parked again as message 4; to give it to the invoicer once more, add --again", "parked", "replay", "1", "--dry-run")
	refused("nothing was dismissed: parked message 1 was replayed at", "parked", "dismiss", "2", "1", "--by", "Ann", "--reason", "x")
	if out := good(t, "parked", "dismiss", "2", "4", "2", "--by", "Ann", "--reason", "test orders", "--nats", nats); strings.Count(out, "dismissed  ") != 2 {
		t.Errorf("2 and 4 are dismissed, each once, got:\n%s", out)
	}
	refused("by Ann: test orders; to give it to the invoicer once more, add --again", "parked", "replay", "4")
	refused("nothing was dismissed: parked message 4 was dismissed at", "parked", "dismiss", "4", "--by", "Bo", "--reason", "again")
	refused("message 5 is the dismissal of the parked message 2", "parked", "show", "5")
	has(t, good(t, "parked", "list", "--open", "--nats", nats), "nothing is parked")
	has(t, good(t, "parked", "replay", "--all", "--nats", nats), "nothing to replay")
	has(t, good(t, "parked", "show", "4", "--nats", nats), "by Ann: test orders")
	has(t, good(t, "parked", "list", "--json", "--nats", nats), `"status":"dismissed"`, `"dismissedBy":"Ann","dismissedWhy":"test orders"`, `"parkedAgainAs":4`)
	has(t, good(t, "show", "acme/bad 1", "--nats", nats), "dismissed", "Ann: test orders")
	has(t, good(t, "parked", "replay", "4", "--again", "--nats", nats), "replayed  4")
	parked("8")
	if code, _, stderr := run(t, "", "parked", "show", "99", "--nats", nats); code != 1 || !strings.Contains(stderr, "there is no parked message 99") {
		t.Errorf("%d %s", code, stderr)
	}
	ends(t, s)
}

func TestUpResumesItsDataAndSharesItWithNobody(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "kept")
	s, nats, _ := resume(t, data)
	good(t, "order", "place", "--nats", nats, "--shop", "acme", "--order", "1", "--currency", "SEK", "--row", "Kaffe;1;99.00")
	sees(t, nats, "1", "issued")
	free := "127.0.0.1:0"
	again := []string{"up", "--data", data, "--nats-listen", free, "--sandbox-listen", free, "--http-listen", free, "--gateway-listen", free}
	if code, _, stderr := run(t, "", again...); code != 1 || !strings.Contains(stderr, "choose another folder with --data") {
		t.Errorf("a second process on the same folder: %d %s", code, stderr)
	}
	ends(t, s)

	s, nats, wallet := resume(t, data)
	ref := strings.TrimSpace(good(t, "show", "--nats", nats, "acme/1", "--reference"))
	resp, err := http.Post(wallet+"/wallet/"+ref+"/pay", "", nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the buyer cannot pay after the restart: %v %v", resp, err)
	}
	resp.Body.Close()
	sees(t, nats, "1", "receipted")
	ends(t, s)
}

func TestATakenPortIsNamedWithItsFlag(t *testing.T) {
	t.Parallel()
	s, nats, wallet := up(t)
	taken := map[string]string{"--nats-listen": strings.TrimPrefix(nats, "nats://"), "--sandbox-listen": strings.TrimPrefix(wallet, "http://")}
	for flag, addr := range taken {
		args := []string{"up", "--data", t.TempDir(), "--log-level", "error"}
		for _, f := range []string{"--nats-listen", "--sandbox-listen", "--http-listen", "--gateway-listen"} {
			if at := "127.0.0.1:0"; f == flag {
				args = append(args, f, addr)
			} else {
				args = append(args, f, at)
			}
		}
		if code, _, stderr := run(t, "", args...); code != 1 || !strings.Contains(stderr, flag) || !strings.Contains(stderr, addr) {
			t.Errorf("%s is taken: exit code %d, %s", flag, code, stderr)
		}
	}
	ends(t, s)
}
