package bus

import "github.com/nats-io/nats.go/jetstream"

// JetStream is the client, for tests that do to the broker what no worker does.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// IsNoRoom says whether the broker refused a write for want of room.
var IsNoRoom = isNoRoom

// Transient says whether an error passes by itself.
var Transient = transient
