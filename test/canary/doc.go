// Package canary puts secrets into settings and payloads, runs the real programs with the most detailed logs through faults
// and mistaken settings, and searches for the secrets in all that a person could read afterwards: logs, events, parked messages,
// metrics, pages, data folders, evidence and error messages.
//
// A message that a shop has published is the shop's own: it stays in ORDERS as it came, and a parked
// message keeps a copy of it. What the shop put there by mistake, a card number say, is therefore found
// in those two places, and where a command shows them to a person; it never goes on into an invoice's
// events, a log, a metric or the provider's pages.
package canary
