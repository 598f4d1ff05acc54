package gateway_test

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/services/gateway"
)

// TestQuotaComesBackOverADay: a day's worth at once, small messages counted as 1 KiB, each shop by itself; an hour later a
// 24th of it is there again, and after two days no more than one day's worth.
func TestQuotaComesBackOverADay(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	q := gateway.NewQuota(24, func() time.Time { return now })
	admitted := func(shop string, bytes int) (n int) {
		for q.Admit(shop, bytes) == nil {
			n++
		}
		return n
	}
	if got := admitted("acme", 1); got != 24<<10 {
		t.Errorf("%d small messages, expected %d", got, 24<<10)
	}
	if got := admitted("beta", 1<<20); got != 24 {
		t.Errorf("another shop: %d messages of 1 MiB, expected 24", got)
	}
	now = now.Add(time.Hour)
	if got := admitted("acme", 1); got != 1<<10 {
		t.Errorf("an hour later %d, expected %d", got, 1<<10)
	}
	now = now.Add(48 * time.Hour)
	if got := admitted("acme", 1<<20); got != 24 {
		t.Errorf("two days later %d MiB, expected 24", got)
	}
	if err := gateway.NewQuota(0, time.Now).Admit("acme", 1<<30); err != nil {
		t.Errorf("no quota: %v", err)
	}
}
