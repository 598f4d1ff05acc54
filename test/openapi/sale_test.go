package openapi

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/orderapi"
	"github.com/seqrflow/seqrflow/internal/rig"
)

func coffee(t *testing.T, id string) OrderBody {
	t.Helper()
	row := OrderRow{Description: "Coffee, 500 g", Total: "149.50", TaxRate: &OrderRow_TaxRate{}}
	o := OrderBody{Currency: "SEK", Total: "149.50", ValidFor: ptr("15m")}
	for _, err := range []error{row.Quantity.FromOrderRowQuantity0("1"), row.TaxRate.FromOrderRowTaxRate1(12), o.OrderId.FromOrderBodyOrderId0(id)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	o.Rows = []OrderRow{row}
	return o
}

// The generated client sells an order: it waits for the invoice, the buyer pays, it waits for the payment, pays a part back, and hears
// of all of it.
func TestAGeneratedClientSellsAnOrder(t *testing.T) {
	s := start(t, orderapi.Config{})
	c, err := NewClientWithResponses(s.url, WithRequestEditorFn(withToken))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	stream, err := c.StreamEvents(ctx, rig.Shop, &StreamEventsParams{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()

	placed, err := c.PlaceOrderWithResponse(ctx, rig.Shop, &PlaceOrderParams{Wait: ptr("25s")}, coffee(t, "1001"))
	if err != nil || placed.JSON201 == nil || placed.JSON201.State != OrderStateStateISSUED || placed.JSON201.Link == nil {
		t.Fatalf("placed: %v %s %s", err, placed.Status(), placed.Body)
	}
	again, err := c.PlaceOrderWithResponse(ctx, rig.Shop, nil, coffee(t, "1001"))
	if err != nil || again.JSON200 == nil || *again.JSON200.InvoiceReference != *placed.JSON201.InvoiceReference {
		t.Errorf("placed again: %v %s", err, again.Body)
	}
	s.Pay(*placed.JSON201.InvoiceReference)
	paid, err := c.GetOrderWithResponse(ctx, rig.Shop, "1001", &GetOrderParams{Wait: ptr("25s")})
	if err != nil || paid.JSON200 == nil || !paid.JSON200.Paid || paid.JSON200.ErsReference == nil {
		t.Fatalf("paid: %v %s", err, paid.Body)
	}
	back, err := c.ReturnOrderWithResponse(ctx, rig.Shop, "1001", &ReturnOrderParams{Wait: ptr("25s")}, ReturnBody{RefundId: "r1", Amount: ptr("49.50")})
	if err != nil || back.JSON202 == nil || back.JSON202.Refunds == nil || len(*back.JSON202.Refunds) != 1 || (*back.JSON202.Refunds)[0].Status != Done {
		t.Fatalf("returned: %v %s", err, back.Body)
	}
	wrong, err := c.ReturnOrderWithResponse(ctx, rig.Shop, "1001", nil, ReturnBody{RefundId: "r1", Amount: ptr("50.00")})
	if err != nil || wrong.ApplicationproblemJSON409 == nil || wrong.StatusCode() != http.StatusConflict {
		t.Errorf("the same refundId for another amount: %v %s", err, wrong.Body)
	}
	if got, want := heard(t, stream, 4), []string{"issued", "paid", "refunding", "refunded"}; !slices.Equal(got, want) {
		t.Errorf("the stream told %v; want %v", got, want)
	}
}

// heard reads n events of invoices from a stream.
func heard(t *testing.T, stream *http.Response, n int) (names []string) {
	t.Helper()
	for lines := bufio.NewScanner(stream.Body); len(names) < n && lines.Scan(); {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var e InvoiceEvent
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatal(err)
			}
			if e.Event != "" {
				names = append(names, e.Event)
			}
		}
	}
	return names
}
