package chaos

import (
	"slices"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/refunder"
)

func TestSecondPaymentThatIsKeptIsFound(t *testing.T) {
	m := realWorkers()
	m[refunder.Name] = func(t tools) worker {
		return refunder.New(refunder.Config{Bus: t.bus, Provider: t.provider, Shops: t.shops, KeepSecond: true})
	}
	found(t, m, "the order was paid before", schedule.secondPaid)
}

func TestForeignMessageTakenForAPaymentIsFound(t *testing.T) {
	m := realWorkers()
	real := m[refunder.Name]
	m[refunder.Name] = func(t tools) worker { return trusting{t, real(t)} }
	found(t, m, "nothing here explains", func(s schedule) bool {
		return slices.ContainsFunc(s.Strangers, func(x stranger) bool {
			return x.Body == pretends && x.Event == events.EventPaid && !x.Open && (x.After == events.EventPaid || x.After == events.EventReceipted)
		})
	})
}

func TestLostDurableMadeAnewWithoutHistoryIsFound(t *testing.T) {
	m := realWorkers()
	m[withoutHistory] = nil
	found(t, m, "nothing is recorded of it", func(s schedule) bool {
		return slices.ContainsFunc(s.Losses, func(l loss) bool { return l.Consumer == invoicer.Name && l.Delay < 150*time.Millisecond })
	})
}

func TestLongMemoryOfMessageIDsIsFound(t *testing.T) {
	m := realWorkers()
	m[withLongMemory] = nil
	found(t, m, "the message id was used", func(s schedule) bool {
		return slices.ContainsFunc(s.Orders, func(o order) bool { return o.Borrows })
	})
}

func TestSilenceTakenForARefusalIsFound(t *testing.T) {
	m := realWorkers()
	real := m[invoicer.Name]
	m[invoicer.Name] = func(t tools) worker {
		t.provider = refuses{t.provider}
		return real(t)
	}
	found(t, m, "ended as REJECTED", func(s schedule) bool {
		return s.Silence != nil && s.Silence.Delay < 50*time.Millisecond && slices.ContainsFunc(s.Orders, func(o order) bool {
			return o.has(events.Placed) && o.Other == (s.Silence.Terminal == otherTerminal) && o.Messages[0].Delay > 50*time.Millisecond
		})
	})
}

func TestEarlierTerminalThatIsForgottenIsFound(t *testing.T) {
	m := realWorkers()
	for name, real := range m {
		m[name] = func(t tools) worker {
			t.shops = forgetful{t.shops}
			return real(t)
		}
	}
	found(t, m, "ended as ISSUED", func(s schedule) bool {
		return s.Replace > 200*time.Millisecond && slices.ContainsFunc(s.Orders, func(o order) bool {
			return o.Buyer == stays && o.has(events.Placed) && !o.Other
		})
	})
}

func TestCopyWithCredentialsOfAnotherShopIsFound(t *testing.T) {
	m := realWorkers()
	for name, real := range m {
		m[name] = func(t tools) worker {
			t.shops = careless{t.shops}
			return real(t)
		}
	}
	found(t, m, "no credentials for terminal", func(s schedule) bool { return s.Narrow && s.hasShop(otherShop) })
}
