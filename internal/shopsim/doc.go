// Package shopsim has stand-ins of the shops' systems that seqrflow is connected to, for tests and for the demo. It shares no code
// with the translations of pkg/commerce, so that the two check each other.
//
//	Woo       a WooCommerce shop: REST API v3, webhooks, and what the buyer and the shopkeeper do
//	Shopify   a Shopify shop: webhooks, Admin GraphQL API, and what the buyer and the shopkeeper do
//	Receiver  a destination of signed webhooks (Standard Webhooks)
//	Page      a small shop to click through: products, buy, thank you
//
// Each keeps a record of effects: what a person would see in the shop. A test that delivers the same notice twice compares the
// effects of both. Each has faults to set (see [Faults]): a status, a delay, a connection that ends before or after the effect.
// Webhooks are sent in the background; Wait returns when all of them are sent.
//
// # What Woo imitates
//
// Orders: list with status, modified_after, dates_are_gmt, per_page, page, orderby (date or modified) and order; read, create, update; notes; refunds.
// Webhooks: list, create, update. Payment methods: list. Lists are in pages of 10 unless the query says otherwise. JSON is escaped as
// PHP does it. Dates without a zone, in the shop's time and in UTC, in whole seconds; modified_after
// is exclusive. Errors in WordPress's form, with 400 (not 404) for the update of an order that is not there.
//
// set_paid pays only an order that needs payment: it is pending or failed, and its total is above zero. On any other order, on-hold
// included, it changes nothing but the transaction_id. A change of status to processing or completed sets date_paid too. Each save
// sends order.updated, also one that changed nothing, and also one made through the API.
//
// Webhooks are sent once and never again, over a connection of their own, with a timeout of 60 s and without following
// redirects. 200 to 302 is success. The 7th failure in a row disables the webhook. The payload is made when it is sent, so that two
// quick changes may arrive as the same contents twice. The ping at a webhook's creation is a form without a signature. The delivery
// id is a hash of the webhook's id and the second. A draft of the checkout is sent like an order. A deleted order is sent with its id only;
// it lies in the trash, where the API reads and changes it and lists leave it out, until it is restored.
//
// # What Woo does not imitate
//
// Basic authentication is accepted without TLS, where the real one wants OAuth. Rows cannot be changed through the API (Edit can).
// Of an update only status, set_paid and transaction_id count; other fields are ignored. A coupon's discount is
// rounded for each row alone. Every order needs processing. There are no products, customers, e-mails or stock. A refund through the API never reaches a
// payment gateway. Deliveries go over HTTP/1.1, and one that is queued twice is sent twice.
//
// # What Shopify imitates
//
// A webhook has 5 s for its answer; 200 to 299 is success. It is repeated 8 times within 4 hours, with the same body and the same
// Webhook-Id; when all repeats have failed, the subscription is deleted. BeforeRepeat replaces the waiting. Settings let orders/updated arrive
// before orders/create, and each webhook twice. Ids are above 2^53.
//
// The GraphQL API has what a payment connector needs: order, orderMarkAsPaid, orderCancel, orderUpdate (note, tags), tagsAdd,
// webhookSubscriptions, webhookSubscriptionCreate, shop, currentAppInstallation. An app gets access tokens of a day for its id and its
// secret, which is also that of the webhooks. What the shop refuses comes as userErrors with 200. A wrong
// token is 401; [Throttled] is the fault of a client that asks too much.
//
// # What Shopify does not imitate
//
// Queries are read loosely: the names and aliases of the operations, the first order's id anywhere, other arguments only as
// variables. The answer has every field that is known, whatever the query selects, so that a misspelt field is not noticed. Types are not
// checked. orderCancel cancels at once, refunds nothing and restocks nothing. There is no limit of cost by itself, and no separate
// limit for the connection. Quantities are whole. A tip is no row of its own. There is one currency.
package shopsim
