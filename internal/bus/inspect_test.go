package bus

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestDifferencesNamesEverySettingOfAStreamThatMatters(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"subjects":        func(c *jetstream.StreamConfig) { c.Subjects = []string{"orders.*"} },
		"storage":         func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"retention":       func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy },
		"discard":         func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"deny delete":     func(c *jetstream.StreamConfig) { c.DenyDelete = false },
		"max age":         func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"duplicates":      func(c *jetstream.StreamConfig) { c.Duplicates = time.Second },
		"replicas":        func(c *jetstream.StreamConfig) { c.Replicas = 3 },
		"deny purge":      func(c *jetstream.StreamConfig) { c.DenyPurge = false },
		"max per subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 },
		"direct get":      func(c *jetstream.StreamConfig) { c.AllowDirect = false },
	} {
		got := Streams(1)[0]
		change(&got)
		if diffs := differences(Streams(1)[0], got); len(diffs) != 1 || !strings.HasPrefix(diffs[0], name+" is ") {
			t.Errorf("%s: %v", name, diffs)
		}
	}
	if diffs := differences(Streams(1)[0], Streams(1)[0]); len(diffs) > 0 {
		t.Errorf("a stream as it should be: %v", diffs)
	}
}
