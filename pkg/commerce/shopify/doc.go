// Package shopify connects one Shopify shop: its webhooks become order events, and what happens to an invoice reaches its order.
//
// Inbound. inbound.go checks a webhook's signature and its shop, and chooses by topic. An order (payload.go) goes to order.go,
// which decides whether it is ours to take payment for; rows.go makes the rows of it, each with tax and after discounts, and
// money.go chooses the currency and reads the amounts. A refund goes to refund.go. Nothing of a customer is read: the payload types
// have no field for it.
//
// Outbound. outbound.go looks at the order in the shop and decides; mutations.go has the calls that it makes: mark as paid,
// cancel, tag. graphql.go makes a call of Shopify's Admin API and says what its errors mean; token.go gets the access token. inspect.go reads what a check of the
// connection needs.
package shopify
