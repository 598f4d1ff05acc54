package watching_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestPollersLiveForThreeSecondsAfterTheirLastWord(t *testing.T) {
	var p watching.Pollers
	now := time.Now()
	p.Note(watching.Announcement{ID: "silent", Held: 1}, now)
	p.Note(watching.Announcement{ID: "living", Held: 9}, now)
	p.Note(watching.Announcement{ID: "living", Held: 2}, now.Add(2*time.Second))
	p.Note(watching.Announcement{ID: "ended", Held: 4}, now)
	p.Note(watching.Announcement{ID: "ended", Held: 4, Leaving: true}, now)
	if n := p.Held(now.Add(3 * time.Second)); n != 3 {
		t.Errorf("%d are held after 3 s, expected 1 and 2", n)
	}
	if living := p.Living(now.Add(3*time.Second + 1)); len(living) != 1 || living["living"].Held != 2 {
		t.Errorf("after more than 3 s: %+v", living)
	}
}

// The gauge of any process counts what is on the index and what pollers announce; what is no announcement counts for nothing.
func TestGaugeComparesTheIndexWithWhatPollersAnnounce(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	for i := range 2 {
		if _, _, err := r.Bus.IndexOpen(t.Context(), events.KeyOf("acme", fmt.Sprint(i)), uint64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	g, reg := watching.NewGauge(r.Bus), prometheus.NewRegistry()
	for range 2 {
		if err := g.Register(reg); err != nil {
			t.Fatal(err)
		}
	}
	defer r.Run(g)()
	expect := func(open, unwatched int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if missing := rig.Until(ctx, func(context.Context) string {
			if o, u, ok := g.Count(); !ok || o != open || u != unwatched {
				return fmt.Sprintf("open %d, unwatched %d, known %v; expected %d and %d", o, u, ok, open, unwatched)
			}
			return ""
		}); missing != "" {
			t.Fatal(missing)
		}
	}
	expect(2, 2)
	if all, err := reg.Gather(); err != nil || len(all) != 2 || all[1].GetMetric()[0].GetGauge().GetValue() != 2 {
		t.Errorf("metrics %v, %v", all, err)
	}

	telling, stop := context.WithCancel(t.Context())
	told := make(chan struct{})
	go func() {
		defer close(told)
		watching.EverySecond(telling, r.Bus, func() {
			for subject, body := range map[string]string{"watching.x": "{", "watching.y": `{"held":-7}`} {
				if err := r.Bus.Publish(subject, []byte(body)); err != nil {
					t.Error(err)
				}
			}
			if err := watching.Announce(r.Bus, watching.Announcement{ID: "poller1", Held: 1}); err != nil {
				t.Error(err)
			}
		})
	}()
	defer func() { stop(); <-told }()
	expect(2, 1)
	if g.Unwatched() == 0 {
		t.Error("one invoice is unwatched, since a moment at least")
	}
}
