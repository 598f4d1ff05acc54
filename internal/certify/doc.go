// Package certify runs the provider's certification procedure and keeps the evidence.
//
// The payment calls are not made here: the workers make them, as in production, in answer to the order
// events that the procedure publishes. It plays or asks for the buyer, waits for what the workers record,
// and judges what went over the wire. Only a point of sale's terminal is administered directly.
//
// Without a provider it runs against a sandbox of its own, whose clock it moves instead of waiting.
package certify
