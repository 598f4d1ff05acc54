// Package sometimes keeps log lines few when the same thing goes wrong again and again.
package sometimes

import (
	"sync"
	"time"
)

// every is the time between two lines about the same thing.
const every = time.Minute

// most is how many things are remembered; when there are more, all are forgotten, and logged once more.
const most = 10_000

// Sometimes allows one log line a minute about each thing. The zero value is ready; it is safe for concurrent use.
type Sometimes struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// OK says whether to log a line about the thing now.
func (s *Sometimes) OK(about string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if at, said := s.last[about]; said && now.Sub(at) < every {
		return false
	}
	if s.last == nil || len(s.last) >= most {
		s.last = map[string]time.Time{}
	}
	s.last[about] = now
	return true
}
