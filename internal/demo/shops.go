package demo

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/demoshop"
	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// webShops are the shops of the demo that have a system of their own: what they sell comes in by webhook, and they are told of the
// payment through their API.
type webShops struct {
	woo     *demoshop.Woo
	shopify *demoshop.Shopify
}

// webOrder is an order that a buyer places in a shop's own system.
type webOrder struct {
	place func() int64          // gives the order's id
	id    int64                 // once it is placed
	wrong func(id int64) string // says how the shop has it other than paid once; "" when it has it so
}

// openWebShops makes the shops, whose secrets are in the folder.
func openWebShops(folder string) (*webShops, error) {
	config := func(id, currency string) demoshop.Config {
		return demoshop.Config{ID: id, Listen: "127.0.0.1:0", Folder: filepath.Join(folder, id), Currency: currency}
	}
	woo, err := demoshop.OpenWoo(config("lyktboden", "SEK"), 0)
	if err != nil {
		return nil, err
	}
	shopify, err := demoshop.OpenShopify(config("strikkestua", "NOK"))
	if err != nil {
		return nil, errors.Join(err, woo.Close())
	}
	return &webShops{woo, shopify}, nil
}

// connections joins the shops to the program.
func (w *webShops) connections() connections.File {
	return connections.File{Connections: map[string]connections.Connection{w.woo.ID: w.woo.Connection, w.shopify.ID: w.shopify.Connection}}
}

func (w *webShops) join(gateway string) error {
	return errors.Join(w.woo.Join(gateway), w.shopify.Join(gateway))
}

func (w *webShops) close() error { return errors.Join(w.woo.Close(), w.shopify.Close()) }

// scenarios are the orders of the shops.
func (w *webShops) scenarios() []*scenario {
	return []*scenario{
		w.inWoo("a WooCommerce order with a coupon and a parcel", pays, shopsim.Cart{
			Items:    []shopsim.Item{{Name: "Stormlykta, mässing", SKU: "LYK-1", Price: "649", TaxRate: "25"}, {Name: "Vekar, 3-pack", SKU: "VEK-3", Price: "39", Quantity: "2", TaxRate: "25"}},
			Shipping: []shopsim.Charge{{Name: "Paket till ombud", Amount: "47.20", TaxRate: "25"}}, Discount: "10",
		}),
		w.inWoo("a WooCommerce order that is paid late", paysLate, shopsim.Cart{
			Items: []shopsim.Item{{Name: "Sveriges fyrar, inbunden", SKU: "BOK-9", Price: "189", TaxRate: "6"}},
		}),
		w.inShopify("a Shopify order with a tip", pays, shopsim.Cart{
			Items: []shopsim.Item{{Name: "Ullgarn, havblå", SKU: "GARN-4", Price: "79", Quantity: "6", TaxRate: "25"}}, Tip: "25",
			Shipping: []shopsim.Charge{{Name: "Hjemlevering", Amount: "89", TaxRate: "25"}},
		}),
		w.inShopify("a Shopify order that is paid late", paysLate, shopsim.Cart{
			Items: []shopsim.Item{{Name: "Selbuvotter, størrelse M", SKU: "VOTT-M", Price: "549", TaxRate: "25"}}, Discount: "15",
		}),
	}
}

func (w *webShops) inWoo(about, buyer string, cart shopsim.Cart) *scenario {
	return &scenario{about: about, shop: w.woo.ID, buyer: buyer, ends: []events.State{events.Receipted}, web: &webOrder{
		place: func() int64 { return w.woo.Place(cart).ID },
		wrong: func(id int64) string {
			o, err := w.woo.Order(id)
			return notPaidOnce(o.Status, "processing", w.woo.Effects(id, shopsim.EffectPaid, shopsim.EffectPaidAgain), err)
		},
	}}
}

func (w *webShops) inShopify(about, buyer string, cart shopsim.Cart) *scenario {
	return &scenario{about: about, shop: w.shopify.ID, buyer: buyer, ends: []events.State{events.Receipted}, web: &webOrder{
		place: func() int64 { return w.shopify.Place(cart).ID },
		wrong: func(id int64) string {
			o, err := w.shopify.Order(id)
			return notPaidOnce(o.FinancialStatus, "paid", w.shopify.Effects(id, shopsim.EffectPaid, shopsim.EffectPaidAgain), err)
		},
	}}
}

// notPaidOnce says how an order in a shop's own system is other than in the status, with one payment that came through its API.
func notPaidOnce(status, want string, payments []shopsim.Effect, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case status != want || len(payments) != 1 || payments[0].By != "api":
		return fmt.Sprintf("%s in the shop, with payments %v", status, payments)
	}
	return ""
}
