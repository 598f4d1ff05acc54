package doors

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsauth"
)

func (f *fixture) bus(user string) *bus.Bus {
	f.Helper()
	credentials, err := natsauth.Credentials{NATSNKey: filepath.Join(f.dir, broker.KeysFolder, user+".nk")}.Options()
	if err != nil {
		f.Fatal(err)
	}
	b, err := bus.Connect(f.Context(), bus.Config{URL: f.server.ClientURL(), Options: credentials, Log: zerolog.Nop()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(b.Close)
	return b
}

// Every role that may look on is told by every worker, each from its own account and in its own name, why an order is stuck.
func TestWorkersTellTheReaderWhyAnOrderIsStuck(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var workers []string
	for _, p := range app.Processes() {
		if len(p.Consumers) > 0 {
			workers = append(workers, p.Name)
		}
	}
	for _, w := range workers {
		b := f.bus(w)
		err := b.AnswerStuck(t.Context(), w, func(shop, id string) []bus.Stuck {
			return []bus.Stuck{{Worker: "another", Reason: bus.ReasonError, Why: shop + "/" + id}}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Conn().FlushTimeout(answerTimeout); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{"reader", "operator"} {
		b := f.bus(user)
		told := map[string]int{}
		for deadline := time.Now().Add(answerTimeout); len(told) < len(workers) && time.Now().Before(deadline); {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			all, err := b.AskStuck(ctx, "acme", "1001")
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			told = map[string]int{}
			for _, s := range all {
				if told[s.Worker]++; s.Why != "acme/1001" {
					t.Errorf("%+v", s)
				}
			}
		}
		for _, w := range workers {
			if told[w] != 1 {
				t.Errorf("%s is told by %s %d times", user, w, told[w])
			}
		}
	}
}

// The operator's key may try a write, and each worker's its own; the reader's may not, and that is told for what it is.
func TestWritesAreTriedByWhoMayWrite(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, who := range []string{"operator", "invoicer", "refunder", "gateway"} {
		if err := f.bus(who).TryWrite(t.Context(), who); err != nil {
			t.Errorf("%s: %v", who, err)
		}
	}
	if err := f.bus("reader").TryWrite(t.Context(), "operator"); !bus.IsDenied(err) {
		t.Errorf("the reader: %v", err)
	}
}
