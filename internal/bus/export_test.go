package bus

import "github.com/nats-io/nats.go/jetstream"

// JetStream is the client, for tests that do to the broker what no worker does.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }
