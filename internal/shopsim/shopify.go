package shopsim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// ShopifyConfig is what a Shopify needs to know. The zero value is a shop in Norwegian crowns.
type ShopifyConfig struct {
	Domain          string // "fjell.myshopify.com" unless given
	Secret          string // of the app, which signs webhooks; "shpss_demo" unless given
	AccessToken     string // of the app, for the API; "shpat_demo" unless given
	ClientID        string // of the app, which gets the access token with it and the secret; "client_demo" unless given
	Currency        string // "NOK" unless given
	Gateway         string // the name of the payment method for SEQR, "SEQR" unless given
	TaxesIncluded   bool
	UpdatedFirst    bool                                       // orders/updated of a new order is sent before orders/create
	DeliveredTwice  bool                                       // each webhook is sent once more after it was taken
	Now             func() time.Time                           // time.Now unless given
	BeforeRepeat    func(context.Context, time.Duration) error // waits before each repeat, or gives it up with an error; real time unless given
	DeliveryTimeout time.Duration                              // 5 s unless given
}

// Shopify is a Shopify shop in memory: an http.Handler for the Admin GraphQL API, and methods for what a buyer and a shopkeeper do. It
// is safe for concurrent use. Close ends the deliveries of its webhooks.
type Shopify struct {
	Faults
	effects
	*outbox
	cfg ShopifyConfig

	mu            sync.Mutex
	lastID        int64
	orders        map[int64]*ShopifyOrder
	subscriptions []Subscription
	given, ended  int // access tokens that the app was given, and how many of them are not taken any more
}

// NewShopify opens a shop that has no orders and no subscriptions. Its ids are above 2^53, so that they do not survive a float.
func NewShopify(cfg ShopifyConfig) *Shopify {
	cfg.Domain, cfg.Secret = cmp.Or(cfg.Domain, "fjell.myshopify.com"), cmp.Or(cfg.Secret, "shpss_demo")
	cfg.AccessToken, cfg.Currency, cfg.Gateway = cmp.Or(cfg.AccessToken, "shpat_demo"), cmp.Or(cfg.Currency, "NOK"), cmp.Or(cfg.Gateway, "SEQR")
	cfg.ClientID = cmp.Or(cfg.ClientID, "client_demo")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.BeforeRepeat == nil {
		cfg.BeforeRepeat = sleep
	}
	return &Shopify{cfg: cfg, outbox: newOutbox(cmp.Or(cfg.DeliveryTimeout, 5*time.Second)), lastID: 1 << 53, orders: map[int64]*ShopifyOrder{}}
}

func (s *Shopify) nextID() int64 {
	s.lastID++
	return s.lastID
}

func (s *Shopify) effect(order int64, kind, detail, by string) {
	s.effects.add(order, kind, detail, by, s.cfg.Now())
}

// Place is the buyer's order. It sends orders/create and orders/updated.
func (s *Shopify) Place(c Cart) ShopifyOrder {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Currency, c.PaymentMethod = cmp.Or(c.Currency, s.cfg.Currency), cmp.Or(c.PaymentMethod, s.cfg.Gateway)
	o := newShopifyOrder(c, s.cfg.TaxesIncluded, s.nextID)
	o.Name = fmt.Sprintf("#%d", 1001+len(s.orders))
	o.OrderStatusURL = "https://" + s.cfg.Domain + "/orders/" + o.Token
	s.orders[o.ID] = o
	s.effect(o.ID, EffectPlaced, o.TotalPrice+" "+o.Currency, byPerson)
	o.UpdatedAt = s.cfg.Now().Format(time.RFC3339)
	o.CreatedAt = o.UpdatedAt
	topics := []string{"orders/create", "orders/updated"}
	if s.cfg.UpdatedFirst {
		slices.Reverse(topics)
	}
	for _, topic := range topics {
		s.announce(topic, o)
	}
	return o.clone()
}

// Order gives an order as it is now.
func (s *Shopify) Order(id int64) (ShopifyOrder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.orders[id]; o != nil {
		return o.clone(), nil
	}
	return ShopifyOrder{}, fmt.Errorf("%w: %d", ErrNoOrder, id)
}

// Edit changes an order by hand. Nothing is computed: the change sets every field that has to be different. It sends orders/updated.
func (s *Shopify) Edit(id int64, change func(*ShopifyOrder)) error {
	return s.update(id, func(o *ShopifyOrder) (string, error) {
		change(o)
		s.effect(id, EffectEdited, o.TotalPrice+" "+o.Currency, byPerson)
		return "", nil
	})
}

// Touch saves an order without a change: orders/updated is sent.
func (s *Shopify) Touch(id int64) error {
	return s.update(id, func(*ShopifyOrder) (string, error) { return "", nil })
}

// MarkPaid says by hand that an order is paid. It sends orders/paid and orders/updated.
func (s *Shopify) MarkPaid(id int64) error {
	return s.update(id, func(o *ShopifyOrder) (string, error) { return s.markPaid(o, byPerson) })
}

// Cancel cancels an order by hand; the reason is customer, inventory, fraud, declined, staff or other. It sends orders/cancelled and
// orders/updated.
func (s *Shopify) Cancel(id int64, reason string) error {
	return s.update(id, func(o *ShopifyOrder) (string, error) { return s.cancelOrder(o, reason, byPerson) })
}

// Refund pays back by hand through a gateway; "" is that of SEQR. It gives the refund's id, and sends refunds/create and
// orders/updated.
func (s *Shopify) Refund(id int64, amount, gateway, note string) (refund int64, err error) {
	err = s.update(id, func(o *ShopifyOrder) (string, error) {
		refund = s.nextID()
		s.announce("refunds/create", map[string]any{
			"id": refund, "order_id": id, "note": note, "created_at": s.cfg.Now().Format(time.RFC3339), "refund_line_items": []any{},
			"transactions": []any{map[string]any{
				"id": s.nextID(), "order_id": id, "kind": "refund", "status": "success", "amount": amount, "currency": o.Currency, "gateway": cmp.Or(gateway, s.cfg.Gateway),
			}},
		})
		o.refunded = add(o.refunded, num(amount))
		o.CurrentTotalPrice = sub(num(o.TotalPrice), o.refunded).String()
		o.FinancialStatus = "partially_refunded"
		if o.refunded.Cmp(num(o.TotalPrice)) >= 0 {
			o.FinancialStatus = "refunded"
		}
		s.effect(id, EffectRefund, amount, byPerson)
		return "", nil
	})
	return refund, err
}

// update changes and saves an order. The change gives a topic that is sent before orders/updated, "" for none; with an error
// nothing is saved.
func (s *Shopify) update(id int64, change func(*ShopifyOrder) (topic string, err error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[id]
	if o == nil {
		return fmt.Errorf("%w: %d", ErrNoOrder, id)
	}
	topic, err := change(o)
	if err != nil {
		return err
	}
	o.UpdatedAt = s.cfg.Now().Format(time.RFC3339)
	if topic != "" {
		s.announce(topic, o)
	}
	s.announce("orders/updated", o)
	return nil
}

// markPaid needs mu.
func (s *Shopify) markPaid(o *ShopifyOrder, by string) (string, error) {
	if !o.canMarkAsPaid() {
		return "", errors.New("Order cannot be marked as paid.") //nolint:staticcheck // the API's words
	}
	s.effect(o.ID, EffectPaid, o.TotalOutstanding, by)
	o.FinancialStatus, o.TotalOutstanding = "paid", round(num("0"), digitsOf(o.Currency)).String()
	return "orders/paid", nil
}

// cancelOrder needs mu.
func (s *Shopify) cancelOrder(o *ShopifyOrder, reason, by string) (string, error) {
	if o.CancelledAt != nil {
		return "", errors.New("Order has already been cancelled")
	}
	at := s.cfg.Now().Format(time.RFC3339)
	o.CancelledAt, o.CancelReason = &at, &reason
	if o.FinancialStatus == "pending" || o.FinancialStatus == "authorized" {
		o.FinancialStatus = "voided"
	}
	s.effect(o.ID, EffectCanceled, reason, by)
	return "orders/cancelled", nil
}

// Throttled is the fault of a GraphQL API whose client has used up what it may ask.
func Throttled(times int) Fault {
	return Fault{Times: times, Code: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],` +
		`"extensions":{"cost":{"requestedQueryCost":52,"actualQueryCost":null,"throttleStatus":{"maximumAvailable":2000,"currentlyAvailable":2,"restoreRate":100}}}}`}
}
