package cli

import (
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// What a shop has published and what stands in a subject is text from outside, in whatever column show has it.
func TestNoColumnOfAHistoryDrivesTheTerminal(t *testing.T) {
	const escape = "\x1b[2J"
	for name, e := range map[string]bus.Entry{
		"an order event's name": {Stream: events.OrdersStream, Message: events.Message{Subject: "orders.acme.1." + escape}},
		"a subject":             {Stream: events.InvoicesStream, Message: events.Message{Subject: "invoices.acme.1." + escape, Body: []byte("?")}},
		"a foreign event": {Stream: events.InvoicesStream, Message: events.Message{Subject: "invoices.acme.1.paid",
			Body: []byte(`{"data":{"shop":"acme","invoiceId":"1","state":"\u001b[2J","currency":"SEK","change":{"event":"\u001b[2J","by":"\u001b[2J"}}}`)}},
	} {
		if line := new(console).historyLine(e); strings.ContainsRune(line, '\x1b') {
			t.Errorf("%s: %q", name, line)
		}
	}
}
