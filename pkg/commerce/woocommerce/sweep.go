package woocommerce

import (
	"context"
	"encoding/json"
	"errors"
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
// asked for. It ends at the first error, a [*CallError]: what was given before is good. A page that the shop fails to give, for
// instance because it is too slow, is asked for again in smaller ones, down to a page for each order.
//
// An order that is changed while the pages are read may move the others over a page's border. Where there are several pages
// they are therefore read again until no other order appears.
func (c *Client) Orders(ctx context.Context, what Changed) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		given := map[commerce.Text]bool{}
		size := perPage
		for range maxPasses {
			before := len(given)
			several, goOn := c.readPages(ctx, what, &size, given, yield)
			if !goOn || !several || len(given) == before {
				return
			}
		}
	}
}

// readPages reads all pages once, and yields the orders that were not given before. A page without an order that those before it did not
// have is the last: a shop, or what stands before it, that ignores the number of the page would be asked on and on.
func (c *Client) readPages(ctx context.Context, what Changed, size *int, given map[commerce.Text]bool, yield func(json.RawMessage, error) bool) (several, goOn bool) {
	read := map[commerce.Text]bool{} // this time
	for begin := 0; begin < maxPages*perPage; begin += *size {
		orders, last, err := c.changed(ctx, what, begin, size)
		if err != nil {
			yield(nil, err)
			return begin > 0, false
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
				return begin > 0, false
			}
		}
		if len(read) == before || last {
			return begin > 0, true
		}
	}
	return true, true
}

// smaller is the size of the pages that are asked for when the shop fails to give those of a size. Each divides the one before, so that
// a page of it begins wherever one of the larger size does.
var smaller = map[int]int{perPage: 20, 20: 5, 5: 1}

// changed asks for the page that begins after so many orders, and says whether it is the last. The size is of the page that the shop gave.
func (c *Client) changed(ctx context.Context, what Changed, begin int, size *int) (orders []json.RawMessage, last bool, err error) {
	for {
		page := begin / *size + 1
		query := pageQuery(page, *size)
		query.Set("modified_after", what.After.UTC().Format(wooTime))
		query.Set("dates_are_gmt", "true")
		query.Set("order", "asc")
		query.Set("_fields", strings.Join(orderFields, ","))
		if len(what.Statuses) > 0 {
			query.Set("status", strings.Join(what.Statuses, ","))
		}
		a, err := c.call(ctx, "list the changed orders", http.MethodGet, "/orders", query, nil, &orders)
		if err == nil {
			pages := commerce.Text(a.Header.Get("X-WP-TotalPages"))
			return orders, reached(page, pages, len(orders) < *size), nil
		}
		var failed *CallError
		mayPass := errors.As(err, &failed) && failed.Status == commerce.Again && ctx.Err() == nil
		if next, ok := smaller[*size]; ok && mayPass && failed.Code != http.StatusTooManyRequests && failed.After == 0 {
			*size, orders = next, nil
			continue
		}
		return nil, false, err
	}
}

// reached says whether the page is the last one; a shop behind a proxy that drops the header is asked until a page is short.
func reached(page int, last commerce.Text, short bool) bool {
	d, err := last.Decimal()
	if err != nil {
		return short
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
