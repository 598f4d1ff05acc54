package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// draws makes the random choices of a schedule.
type draws struct{ *rand.Rand }

func (d draws) chance(perCent int) bool { return d.IntN(100) < perCent }

func (d draws) millis(most int) time.Duration {
	return time.Duration(d.IntN(most+1)) * time.Millisecond
}

func pick[T any](d draws, from ...T) T { return from[d.IntN(len(from))] }

// generate makes the schedule of a seed.
func generate(seed uint64) schedule {
	d := draws{rand.New(rand.NewPCG(seed, 0xC4A05))}
	s := schedule{Seed: seed, Copies: pick(d, 1, 1, 2)}
	for i := range 1 + d.IntN(6) {
		s.Orders = append(s.Orders, d.order(fmt.Sprintf("o%d", i+1)))
	}
	if d.chance(4) {
		s.Orders[0].Buyer = unpolled
	}
	for range d.IntN(4) {
		s.Faults = append(s.Faults, d.fault())
	}
	for _, o := range s.Orders {
		if o.Buyer == afterwards { // only a provider that falsely says "canceled" lets a buyer pay then
			s.Faults = append(s.Faults, fault{Op: "cancelInvoice", Fault: sandbox.Fault{Kind: sandbox.FaultResultCode, Code: 95, Count: 1 + d.IntN(2)}})
		}
	}
	for range d.IntN(7) {
		s.Interruptions = append(s.Interruptions, d.interruption())
	}
	for i := range s.Orders {
		s.Orders[i].Other, s.Orders[i].ReusesIDs = d.chance(30), d.chance(10)
	}
	d.tries(&s)
	d.foreignWrites(&s)
	d.losses(&s)
	d.settings(&s)
	d.silences(&s)
	draws{rand.New(rand.NewPCG(seed, 0xDE57))}.destinations(&s) // draws of their own, so that a seed's other choices stay
	draws{rand.New(rand.NewPCG(seed, 0xACC))}.lateAcks(&s)
	return s
}

func (d draws) order(id string) order {
	o := order{ID: id, Ore: 100 + d.IntN(99900)}
	o.Buyer = pick(d, pays, pays, pays, pays, pays, pays, pays, declines, stays, late, hesitates, withdraws, onCancel, afterwards)
	if !d.chance(3) {
		o.Messages = append(o.Messages, message{Name: events.Placed, Delay: d.millis(150), Twice: d.chance(25)})
	}
	if o.Buyer == onCancel || o.Buyer == afterwards || o.Buyer == withdraws || d.chance(25) {
		o.Messages = append(o.Messages, message{
			Name: events.OrderCanceled, After: pick(d, "", events.EventIssued, events.EventIssued, events.EventIssued, events.EventPaid, events.EventReceipted),
			Delay: d.millis(120), Twice: d.chance(25),
		})
	}
	if d.chance(60) {
		for i := range 1 + d.IntN(3) {
			o.Messages = append(o.Messages, d.returned(i+1, o.Ore))
		}
	}
	return o
}

func (d draws) returned(n, total int) message {
	m := message{
		Name: events.Returned, RefundID: fmt.Sprintf("r%d", n), Delay: d.millis(60), Twice: d.chance(25),
		After: pick(d, "", events.EventIssued, events.EventPaid, events.EventPaid, events.EventReceipted, events.EventRefunded),
	}
	switch n := d.IntN(10); {
	case n < 3: // all that is left
	case n < 5:
		m.Ore = total
	case n < 6:
		m.Ore = total + 1
	default:
		m.Ore = 1 + d.IntN(total)
	}
	return m
}

func (d draws) fault() fault {
	op := pick(d, "sendInvoice", "getPaymentStatus", "cancelInvoice", "submitPaymentReceipt", "refundPayment", "refundPayment", "refundPayment")
	f := fault{Op: op, Fault: sandbox.Fault{Count: 1 + d.IntN(2), Skip: d.IntN(3)}}
	switch d.IntN(9) {
	case 0:
		f.Kind, f.Delay = sandbox.FaultDelay, time.Duration(1+d.IntN(4))*time.Second
		if op == "getPaymentStatus" { // the clock waits for the payment to be fetched, and the poll would wait for the clock
			f.Kind, f.Delay = sandbox.FaultSOAP, 0
		}
	case 1:
		f.Kind = sandbox.FaultHTTP500
	case 2:
		f.Kind = sandbox.FaultDropBefore
	case 3, 4:
		f.Kind = sandbox.FaultDropAfter
	case 5:
		f.Kind, f.Code = sandbox.FaultResultCodeAfter, 90
	case 6:
		f.Unreachable = true
	default:
		f.Kind, f.Code = sandbox.FaultResultCode, pick(d, 90, 93, 94)
		if op == "refundPayment" && d.chance(25) {
			f.Code = 99
		}
		if op == "sendInvoice" && d.chance(25) {
			f.Code = 49
		}
	}
	return f
}

func (d draws) interruption() interruption {
	x := interruption{
		Worker: pick(d, invoicer.Name, poller.Name, receipter.Name, canceler.Name, refunder.Name, refunder.Name),
		At:     pick(d, beforeCall, afterCall, afterCall, beforeAppend, duringAppend, beforeAck, duringAck),
		Nth:    1 + d.IntN(3),
	}
	if x.Worker == poller.Name && (x.At == beforeCall || x.At == afterCall) {
		x.Nth = 1 + d.IntN(40)
	}
	if d.chance(12) {
		x.Blip = 10*time.Millisecond + d.millis(400)
	}
	return x
}
