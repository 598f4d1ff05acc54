package shopsim

import (
	"slices"
	"sync"
	"time"
)

// Effect is one thing that a person would see in the shop.
type Effect struct {
	Order  int64
	Kind   string // for instance "paid", "status", "note"; the constants below
	Detail string // for instance the new status, or the text of the note
	By     string // "api" or "person"
	At     time.Time
}

// The kinds of effects.
const (
	EffectPlaced      = "placed"
	EffectStatus      = "status"
	EffectPaid        = "paid"
	EffectPaidAgain   = "paid again" // the API was told that an order is paid which had been paid before
	EffectTransaction = "transaction"
	EffectNote        = "note"
	EffectRefund      = "refund"
	EffectCanceled    = "canceled"
	EffectTags        = "tags"
	EffectEdited      = "edited"
	EffectDeleted     = "deleted"
	EffectRestored    = "restored"
)

const byAPI, byPerson = "api", "person"

// effects is the record of one shop.
type effects struct {
	mu   sync.Mutex
	list []Effect
}

func (e *effects) add(order int64, kind, detail, by string, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, Effect{order, kind, detail, by, at})
}

// Effects gives what has happened to an order in the shop, the oldest first. Given kinds, it gives only effects of these.
func (e *effects) Effects(order int64, kinds ...string) []Effect {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []Effect
	for _, one := range e.list {
		if one.Order == order && (len(kinds) == 0 || slices.Contains(kinds, one.Kind)) {
			out = append(out, one)
		}
	}
	return out
}
