package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

func TestDoctorTellsHowMuchOfALimitIsUsed(t *testing.T) {
	for msgs, want := range map[uint64]level{89: ok, 90: fail} {
		if got := limitFindings(bus.StreamState{Name: "INVOICES", Messages: msgs, MaxMessages: 100, MaxBytes: -1}); len(got) != 1 || got[0].Level != want {
			t.Errorf("%d of 100 messages: %+v", msgs, got)
		}
	}
	if got := payloadFinding(64 << 10); got.Level != fail {
		t.Errorf("a broker that takes 64 KiB: %+v", got)
	}
}

func TestDoctorComparesClocks(t *testing.T) {
	for _, c := range []struct {
		ahead, took time.Duration
		want        level
	}{
		{0, 0, ok}, {3 * time.Second, 4 * time.Second, ok}, {3 * time.Second, time.Millisecond, warn}, {-3 * time.Second, 0, warn}, {-time.Second, time.Minute, ok},
	} {
		if got := clockFinding(c.ahead, c.took); got.Level != c.want {
			t.Errorf("%s ahead, answered in %s: %+v", c.ahead, c.took, got)
		}
	}
}

func TestSince(t *testing.T) {
	now := time.Unix(1700000000, 0)
	for text, want := range map[string]func() bool{
		"":    func() bool { s, err := since("", now); return err == nil && !s.All && s.Seq == 0 && s.Since.IsZero() },
		"all": func() bool { s, err := since("all", now); return err == nil && s.All },
		"17":  func() bool { s, err := since("17", now); return err == nil && s.Seq == 17 },
		"10m": func() bool { s, err := since("10m", now); return err == nil && s.Since.Equal(now.Add(-10*time.Minute)) },
		"0":   func() bool { _, err := since("0", now); return err != nil },
	} {
		if !want() {
			t.Errorf("--since %q is read wrongly", text)
		}
	}
}

func TestOnlyLoopbackIsThisMachine(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://127.0.0.1:8585/x": true, "http://localhost/": true, "http://[::1]:1/": true,
		"https://seqr.example/": false, "http://10.0.0.1/": false, "::": false,
	} {
		if got := loopback(endpoint); got != want {
			t.Errorf("loopback(%q) = %v", endpoint, got)
		}
	}
}

func TestDoctorFailsWhenMoneyIsAtRisk(t *testing.T) {
	now := time.Unix(1700000000, 0)
	for name, c := range map[string]struct {
		got  finding
		want level
	}{
		"parked lately":                   {parkedFor(1, 10*time.Minute), warn},
		"parked for over an hour":         {parkedFor(1, 61*time.Minute), fail},
		"storage with room":               {storageFinding(bus.Account{Used: 89, Limit: 100}), ok},
		"storage without a limit":         {storageFinding(bus.Account{Used: 89, Limit: -1}), ok},
		"storage nearly full":             {storageFinding(bus.Account{Used: 90, Limit: 100}), fail},
		"no possible reversal":            {reversalFinding(nil, now), ok},
		"a possible reversal":             {reversalFinding([]reconciler.Reversal{{At: now.Add(-time.Hour), Without: 25 * time.Second}}, now), fail},
		"one that is older than a day":    {reversalFinding([]reconciler.Reversal{{At: now.Add(-25 * time.Hour)}}, now), ok},
		"small limit of a stream, unused": {limitFindings(bus.StreamState{MaxMessages: 50, MaxBytes: -1})[0], ok},
	} {
		if c.got.Level != c.want {
			t.Errorf("%s: %+v", name, c.got)
		}
	}
	periods := &reconciler.Survey{Compared: map[string]events.Period{
		"t1": {Shop: "acme", Period: "day 1", State: events.PeriodReconciled}, "t2": {Shop: "beta", Period: "day 2", State: events.PeriodMismatched, Comparison: events.Comparison{Differences: 3}},
	}}
	got := periodFindings(t.Context(), nil, periods)
	if len(got) != 1 || got[0].Level != fail || !strings.Contains(got[0].What, "period beta/day 2, the last of terminal t2, differs from the provider's report in 3 lines") ||
		got[0].Mend != `each line says what it may mean; this prints them and closes nothing: seqrflow close --shop beta --period 'day 2'` {
		t.Errorf("%+v", got)
	}
}
