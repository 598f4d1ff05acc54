// Package woocommerce joins a WooCommerce shop.
//
// From the shop: inbound.go verifies a webhook and finds its topic; payload.go is what is read of an order; order.go decides by
// the order's status what it asks for; rows.go makes the rows of an order that has to be paid, and refunds.go the returns.
//
// WooCommerce sends a webhook once and never again. sweep.go lists the orders that were changed, so that a lost delivery is made
// up for: [Inbound.TranslateOrder] reads each as if a webhook had brought it. client.go makes the calls, and tells doctor
// whether the credentials and the webhooks are in order.
//
// To the shop: outbound.go decides what an event of an invoice means for the order, which it reads first; notes.go writes the
// notes, each once. What seqrflow changes in the shop comes back as a webhook, and asks for nothing then.
package woocommerce
