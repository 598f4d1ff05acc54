// Package webhook connects any system that sends or takes CloudEvents over HTTP, signed as Standard Webhooks.
//
// signature.go has the secrets of a connection. Several may be valid at once, while one replaces another.
//
// Inbound. inbound.go checks the signature and tells the three content modes of CloudEvents apart: one event in structured JSON, one in
// binary mode, several in a batch. cloudevents.go makes the order event of one of them: its data is that of our own order events.
// The elements of a batch stand alone: one that is refused does not stop the others.
//
// Outbound. outbound.go posts the event of an invoice as it is stored. Every attempt has the same webhook-id, so that the
// receiver can leave out what it has already.
package webhook
