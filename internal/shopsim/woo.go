package shopsim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// WooConfig is what a Woo needs to know. The zero value is a shop in Swedish crowns.
type WooConfig struct {
	Home             string // the shop's address, which webhooks name as their source
	ConsumerKey      string // "ck_demo" unless given
	ConsumerSecret   string // "cs_demo" unless given
	Currency         string // "SEK" unless given
	PaymentMethod    string // the id of the payment method for SEQR, "seqr" unless given
	PricesIncludeTax bool
	FirstID          int64            // of the first order; 701 unless given
	Location         *time.Location   // of the shop's clock; two hours east of UTC unless given
	Now              func() time.Time // time.Now unless given
}

// Woo is a WooCommerce shop in memory: an http.Handler for /wp-json/wc/v3/, and methods for what a buyer and a shopkeeper do. It is
// safe for concurrent use. Close ends the deliveries of its webhooks.
type Woo struct {
	Faults
	effects
	*outbox
	cfg WooConfig

	mu       sync.Mutex
	lastID   int64
	orders   []*WooOrder
	trashed  map[int64]string // the status that an order in the trash had before
	notes    map[int64][]WooNote
	webhooks []*WooWebhook
}

// ErrNoOrder says that the shop has no such order.
var ErrNoOrder = errors.New("shopsim: no such order")

// NewWoo opens a shop that has no orders and no webhooks.
func NewWoo(cfg WooConfig) *Woo {
	cfg.Home = cmp.Or(cfg.Home, "https://shop.example/")
	cfg.ConsumerKey, cfg.ConsumerSecret = cmp.Or(cfg.ConsumerKey, "ck_demo"), cmp.Or(cfg.ConsumerSecret, "cs_demo")
	cfg.Currency, cfg.PaymentMethod = cmp.Or(cfg.Currency, "SEK"), cmp.Or(cfg.PaymentMethod, "seqr")
	cfg.Location = cmp.Or(cfg.Location, time.FixedZone("", 2*60*60))
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Woo{cfg: cfg, outbox: newOutbox(time.Minute), lastID: cmp.Or(cfg.FirstID, 701) - 1, trashed: map[int64]string{}, notes: map[int64][]WooNote{}}
}

func (w *Woo) nextID() int64 {
	w.lastID++
	return w.lastID
}

// find needs mu.
func (w *Woo) find(id int64) *WooOrder {
	i := slices.IndexFunc(w.orders, func(o *WooOrder) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	return w.orders[i]
}

// Place is the buyer's order. It sends order.created.
func (w *Woo) Place(c Cart) WooOrder {
	c.PaymentMethod = cmp.Or(c.PaymentMethod, w.cfg.PaymentMethod)
	return w.place(c, byPerson)
}

func (w *Woo) place(c Cart, by string) WooOrder {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.Currency = cmp.Or(c.Currency, w.cfg.Currency)
	o := newWooOrder(c, w.cfg.PricesIncludeTax, w.nextID)
	o.DateCreated, o.DateCreatedGMT = w.dates()
	o.DateModified, o.DateModifiedGMT = o.DateCreated, o.DateCreatedGMT
	w.orders = append(w.orders, o)
	w.effect(o.ID, EffectPlaced, o.Total+" "+o.Currency, by)
	w.announce("order.created", o.ID)
	return o.clone()
}

// Order gives an order as it is now.
func (w *Woo) Order(id int64) (WooOrder, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o := w.find(id); o != nil {
		return o.clone(), nil
	}
	return WooOrder{}, fmt.Errorf("%w: %d", ErrNoOrder, id)
}

// Orders gives all orders that are not in the trash, the oldest first.
func (w *Woo) Orders() []WooOrder {
	return slices.DeleteFunc(w.all(), func(o WooOrder) bool { return o.Status == wooTrash })
}

func (w *Woo) all() (out []WooOrder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.orders {
		out = append(out, o.clone())
	}
	return out
}

// Edit changes an order by hand. Nothing is computed: the change sets every field that has to be different. It sends order.updated.
func (w *Woo) Edit(id int64, change func(*WooOrder)) error {
	return w.update(id, func(o *WooOrder) {
		change(o)
		w.effect(id, EffectEdited, o.Total+" "+o.Currency, byPerson)
	})
}

// SetStatus moves an order on by hand, or ends the buyer's checkout draft. It sends order.updated.
func (w *Woo) SetStatus(id int64, status string) error {
	return w.update(id, func(o *WooOrder) { w.setStatus(o, status, byPerson) })
}

// Touch saves an order without a change: order.updated is sent with the same contents.
func (w *Woo) Touch(id int64) error { return w.update(id, func(*WooOrder) {}) }

// Refund records a refund of part of an order, or of all of it, and gives the refund's id. An order that is refunded in full gets
// the status refunded. It sends order.updated.
func (w *Woo) Refund(id int64, amount, reason string) (refund int64, err error) {
	updated := w.update(id, func(o *WooOrder) { refund, err = w.refund(o, amount, reason, byPerson) })
	return refund, errors.Join(updated, err)
}

// Delete moves an order to the trash, where the API still reads and changes it. It sends order.deleted.
func (w *Woo) Delete(id int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.find(id)
	if o == nil || o.Status == wooTrash {
		return fmt.Errorf("%w: %d", ErrNoOrder, id)
	}
	w.trashed[id], o.Status = o.Status, wooTrash
	o.refresh()
	w.effect(id, EffectDeleted, "", byPerson)
	w.announce("order.deleted", id)
	return nil
}

// Restore takes an order out of the trash, with the status that it had before. It sends order.restored.
func (w *Woo) Restore(id int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.find(id)
	if o == nil || o.Status != wooTrash {
		return fmt.Errorf("%w: %d", ErrNoOrder, id)
	}
	o.Status = w.trashed[id]
	o.refresh()
	o.DateModified, o.DateModifiedGMT = w.dates()
	w.effect(id, EffectRestored, o.Status, byPerson)
	w.announce("order.restored", id)
	return nil
}

// update changes and saves an order.
func (w *Woo) update(id int64, change func(*WooOrder)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.find(id)
	if o == nil {
		return fmt.Errorf("%w: %d", ErrNoOrder, id)
	}
	change(o)
	w.save(o)
	return nil
}

// save needs mu.
func (w *Woo) save(o *WooOrder) {
	o.refresh()
	o.DateModified, o.DateModifiedGMT = w.dates()
	w.announce("order.updated", o.ID)
}

func (w *Woo) effect(order int64, kind, detail, by string) {
	w.effects.add(order, kind, detail, by, w.cfg.Now())
}

// setStatus needs mu. A paid status sets the date of the payment if there is none.
func (w *Woo) setStatus(o *WooOrder, status, by string) {
	if o.Status == status {
		return
	}
	o.Status = status
	o.refresh()
	w.effect(o.ID, EffectStatus, status, by)
	if status == "processing" || status == "completed" {
		w.setPaid(o, by)
	}
}

// dates gives the present in the shop's time and in UTC.
func (w *Woo) dates() (local, gmt string) {
	now := w.cfg.Now()
	return now.In(w.cfg.Location).Format(wooTime), now.UTC().Format(wooTime)
}

func (w *Woo) setPaid(o *WooOrder, by string) {
	if o.DatePaid != nil {
		return
	}
	local, gmt := w.dates()
	o.DatePaid, o.DatePaidGMT = &local, &gmt
	w.effect(o.ID, EffectPaid, o.TransactionID, by)
}

// refund needs mu.
func (w *Woo) refund(o *WooOrder, amount, reason, by string) (int64, error) {
	sum, left := num(amount), sub(num(o.Total), o.refunded())
	if !sum.IsPos() || sum.Cmp(left) > 0 {
		return 0, fmt.Errorf("shopsim: refund of %s: %s is left", amount, left)
	}
	r := WooRefund{ID: w.nextID(), Reason: reason, Total: round(sum, digitsOf(o.Currency)).Neg().String()}
	o.Refunds = append(o.Refunds, r)
	w.effect(o.ID, EffectRefund, amount, by)
	if sum.Cmp(left) == 0 {
		w.setStatus(o, "refunded", by)
	}
	return r.ID, nil
}
