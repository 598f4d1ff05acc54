package chaos

import (
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// lateAck is that the Nth acknowledgement of a worker, of any copy, reaches the broker only after it has delivered the message again.
type lateAck struct {
	Worker string
	Nth    int
	Held   time.Duration
}

func (x lateAck) String() string {
	return fmt.Sprintf("acknowledgement %d of the %s comes %s late", x.Nth, x.Worker, x.Held)
}

// lateAcks draws which acknowledgements come late.
func (d draws) lateAcks(s *schedule) {
	if !d.chance(15) {
		return
	}
	for range 1 + d.IntN(3) {
		s.LateAcks = append(s.LateAcks, lateAck{
			Worker: pick(d, refunder.Name, refunder.Name, refunder.Name, canceler.Name, invoicer.Name, receipter.Name),
			Nth:    1 + d.IntN(8), Held: ackWait + 50*time.Millisecond + d.millis(300),
		})
	}
}

// holdAck counts that the worker acknowledges a message, and says how long that is under way.
func (sim *simulation) holdAck(worker string) time.Duration {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.acks[worker]++
	for _, x := range sim.schedule.LateAcks {
		if x.Worker == worker && x.Nth == sim.acks[worker] && !sim.noMoreInterruptions {
			return x.Held
		}
	}
	return 0
}
