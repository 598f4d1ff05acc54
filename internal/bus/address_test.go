package bus

import (
	"strings"
	"testing"
	"time"
)

func TestAddressHasNoCredentials(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"nats://h:4222":                          "nats://h:4222",
		"nats://u:secret@h:4222":                 "nats://h:4222",
		"nats://secret@h:4222":                   "nats://h:4222",
		"secret@h:4222":                          "nats://h:4222",
		"tls://u:sec/ret@h:1":                    "tls://h:1",
		"nats://u:sec@ret@h:1":                   "nats://h:1",
		"nats://u:secret@a:1, nats://secret@b:2": "nats://a:1,nats://b:2",
	} {
		if got := Address(raw); got != want {
			t.Errorf("Address(%q) = %q; want %q", raw, got, want)
		}
	}
}

func TestAddressThatIsNoURLFailsAtOnceWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	_, err := Connect(t.Context(), Config{URL: "nats://u:secret@h:port"})
	if err == nil || strings.Contains(err.Error(), "secret") || time.Since(begun) > requestTimeout {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}
