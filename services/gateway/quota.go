package gateway

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// leastCounted is what a message counts at least, so that many small ones are bounded too.
const leastCounted = 1 << 10

// Quota is how much each shop may publish: a day's worth at once, which comes back evenly over a day. A gateway counts what
// it forwards since its start. It is safe for concurrent use.
type Quota struct {
	perDay int // bytes
	now    func() time.Time

	mu    sync.Mutex
	shops map[string]*rate.Limiter
}

// NewQuota of that many MiB a day for each shop, 1 to 1,000,000; 0 is no quota.
func NewQuota(mib int, now func() time.Time) *Quota {
	return &Quota{perDay: mib << 20, now: now, shops: map[string]*rate.Limiter{}}
}

// Admit counts a message of that many bytes, 1 KiB at least. The error is for the publisher: the shop has had its quota.
func (q *Quota) Admit(shop string, bytes int) error {
	if q.perDay == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.shops[shop]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(float64(q.perDay)/(24*time.Hour).Seconds()), q.perDay)
		q.shops[shop] = l
	}
	if l.AllowN(q.now(), max(bytes, leastCounted)) {
		return nil
	}
	return fmt.Errorf("shop %s has published its quota of %d MiB a day", shop, q.perDay>>20)
}
