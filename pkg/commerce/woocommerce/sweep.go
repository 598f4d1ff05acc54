package woocommerce

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// Changed selects the orders of a sweep.
type Changed struct {
	// After is exclusive, by the shop's clock and in whole seconds. A sweep that begins where the last one ended has to begin
	// one second earlier at least, for orders that were changed within that second.
	After time.Time
	// Statuses are those that an order may have; none means any but drafts and the trash. Refunds and cancellations are found
	// only if it is none, or has cancelled, processing, completed and refunded too.
	Statuses []string
}

const (
	wooTime   = "2006-01-02T15:04:05"
	maxPasses = 3
)

// Orders gives the orders that were changed, each once, as [Inbound.TranslateOrder] reads them; nothing else of an order is
// asked for. It ends at the first error, a [*CallError]: what was given before is good.
//
// An order that is changed while the pages are read may move the others over a page's border. Where there are several pages
// they are therefore read again until no other order appears.
func (c *Client) Orders(ctx context.Context, what Changed) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		given := map[commerce.Text]bool{}
		for range maxPasses {
			before := len(given)
			pages, goOn := c.readPages(ctx, what, given, yield)
			if !goOn || pages <= 1 || len(given) == before {
				return
			}
		}
	}
}

// readPages reads all pages once, and yields the orders that were not given before. A page without an order that those before it did not
// have is the last: a shop, or what stands before it, that ignores the number of the page would be asked on and on.
func (c *Client) readPages(ctx context.Context, what Changed, given map[commerce.Text]bool, yield func(json.RawMessage, error) bool) (pages int, goOn bool) {
	read := map[commerce.Text]bool{} // this time
	for page := 1; page <= maxPages; page++ {
		query := pageQuery(page)
		query.Set("modified_after", what.After.UTC().Format(wooTime))
		query.Set("dates_are_gmt", "true")
		query.Set("order", "asc")
		query.Set("_fields", strings.Join(orderFields, ","))
		if len(what.Statuses) > 0 {
			query.Set("status", strings.Join(what.Statuses, ","))
		}
		var orders []json.RawMessage
		a, err := c.call(ctx, "list the changed orders", http.MethodGet, "/orders", query, nil, &orders)
		if err != nil {
			yield(nil, err)
			return page, false
		}
		before := len(read)
		for _, body := range orders {
			var o struct {
				ID commerce.Text `json:"id"`
			}
			_ = json.Unmarshal(body, &o) // an order without an id is refused where it is translated
			read[o.ID] = true
			if o.ID != "" && given[o.ID] {
				continue
			}
			given[o.ID] = true
			if !yield(body, nil) {
				return page, false
			}
		}
		if last := commerce.Text(a.Header.Get("X-WP-TotalPages")); len(read) == before || reached(page, last, len(orders)) {
			return page, true
		}
	}
	return maxPages, true
}

// reached says whether the page is the last one; a shop behind a proxy that drops the header is asked until a page is short.
func reached(page int, last commerce.Text, orders int) bool {
	d, err := last.Decimal()
	if err != nil {
		return orders < perPage
	}
	n, _, ok := d.Int64(0)
	return ok && int64(page) >= n
}

// orderFields are the fields of an order that are read, and when it was changed.
var orderFields = func() []string {
	fields := []string{"date_modified_gmt"}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[payload]()) {
		fields = append(fields, f.Tag.Get("json"))
	}
	return fields
}()

// ModifiedAt is when an order that [Client.Orders] has given was changed last, by the shop's clock; false where it does not say.
func ModifiedAt(order json.RawMessage) (time.Time, bool) {
	var o struct {
		At commerce.Text `json:"date_modified_gmt"`
	}
	if json.Unmarshal(order, &o) != nil {
		return time.Time{}, false
	}
	t, err := time.Parse(wooTime, string(o.At))
	return t, err == nil
}
