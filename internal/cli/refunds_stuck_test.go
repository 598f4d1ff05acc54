package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// A refund that nobody sends any more is shown like one in doubt; one that is being sent now is left alone.
func TestRefundThatIsStuckInSendingIsListed(t *testing.T) {
	t.Parallel()
	broker, b := brokerWithStreams(t)
	amount, err := events.ParseAmount("40")
	if err != nil {
		t.Fatal(err)
	}
	for id, asked := range map[string]time.Time{"stuck": b.Now().Add(-2 * time.Minute), "now": b.Now()} {
		fact := events.Fact{At: asked, Why: "test"}
		rig.AppendEvents(t, b, events.KeyOf("acme", id),
			func(inv events.Invoice) (events.Invoice, error) {
				return inv.IssuedAs(events.Order{Shop: "acme", OrderID: id, Currency: "SEK", Total: amount}, events.ProviderInvoice{Terminal: "t1", ValidFor: time.Minute}, fact)
			},
			func(inv events.Invoice) (events.Invoice, error) { return inv.PaidWith("ers-"+id, "poller", fact) },
			func(inv events.Invoice) (events.Invoice, error) {
				return inv.Refunding(events.Refund{RefundID: "r", Amount: amount}, fact)
			},
		)
	}
	fact := events.Fact{At: b.Now().Add(-time.Hour), Why: "the provider is busy"}
	for _, id := range []string{"waits-a", "waits-b"} { // the messages that would end them are gone
		rig.AppendEvents(t, b, events.KeyOf("acme", id),
			func(inv events.Invoice) (events.Invoice, error) {
				return inv.IssuedAs(events.Order{Shop: "acme", OrderID: id, Currency: "SEK", Total: amount}, events.ProviderInvoice{Terminal: "t1", ValidFor: time.Minute}, fact)
			},
			func(inv events.Invoice) (events.Invoice, error) { return inv.PaidWith("ers-"+id, "poller", fact) },
			func(inv events.Invoice) (events.Invoice, error) {
				return inv.Refunding(events.Refund{RefundID: "r", Amount: amount}, fact)
			},
			func(inv events.Invoice) (events.Invoice, error) { return inv.RefundNotSent("r", 1, fact) },
		)
	}
	out := good(t, "refunds", "list", "--nats", broker.URL())
	has(t, out, "acme/stuck", "sending", "40.00 SEK")
	if strings.Contains(out, "acme/now") {
		t.Errorf("a refund that is being sent is listed:\n%s", out)
	}
	has(t, out, "acme/waits-a", "waiting")

	// A comparison that cannot be read is named, and keeps nothing else from being listed.
	for subject, body := range map[string]string{
		"periods.acme.bad.mismatched":  `{"data":{"lines":7}}`,
		"periods.acme.good.mismatched": `{"data":{"shop":"acme","period":"good","lines":[{"kind":"refund_differs","shop":"acme","invoiceId":"stuck","refundId":"r","text":"the report has it"}]}}`,
	} {
		if err := b.PublishRaw(t.Context(), subject, "", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	for _, asJSON := range []string{"--json=false", "--json"} {
		code, out, stderr := run(t, "", "refunds", "list", asJSON, "--nats", broker.URL())
		if code != 0 || strings.Count(stderr, "periods.acme.bad.mismatched, cannot be read") != 1 {
			t.Errorf("exit code %d, %s", code, stderr)
		}
		has(t, out, "stuck", "waits-a", "period good: the report has it")
	}
	has(t, good(t, "refunds", "resolve", "acme/waits-a", "r", "--did-not-happen", "--by", "Ann", "--nats", broker.URL()), "refund_failed")
	has(t, good(t, "refunds", "resolve", "acme/waits-b", "r", "--happened", "--by", "Ann", "--nats", broker.URL()), "REFUNDED")
	code, _, stderr := run(t, "", "refunds", "resolve", "acme/now", "r", "--did-not-happen", "--by", "Ann", "--nats", broker.URL())
	if code != 1 || !strings.Contains(stderr, "being sent") {
		t.Errorf("a refund that is being sent was settled: %d, %s", code, stderr)
	}
}
