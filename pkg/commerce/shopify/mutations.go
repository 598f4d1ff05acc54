package shopify

import (
	"context"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

const (
	lookAtOrder = `query look($id: ID!) {
  order(id: $id) {
    displayFinancialStatus
    cancelledAt
    totalOutstandingSet { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }
  }
}`
	markAsPaid = `mutation markAsPaid($input: OrderMarkAsPaidInput!) {
  result: orderMarkAsPaid(input: $input) {
    userErrors { message }
  }
}`
	cancelOrder = `mutation cancel($orderId: ID!, $reason: OrderCancelReason!, $restock: Boolean!, $notifyCustomer: Boolean, $staffNote: String, $refundMethod: OrderCancelRefundMethodInput) {
  result: orderCancel(orderId: $orderId, reason: $reason, restock: $restock, notifyCustomer: $notifyCustomer, staffNote: $staffNote, refundMethod: $refundMethod) {
    userErrors: orderCancelUserErrors { message }
  }
}`
	addTags = `mutation tag($id: ID!, $tags: [String!]!) {
  result: tagsAdd(id: $id, tags: $tags) {
    userErrors { message }
  }
}`
)

// state is what is looked at of an order.
type state struct {
	FinancialStatus string      `json:"displayFinancialStatus"`
	CanceledAt      string      `json:"cancelledAt"`
	Outstanding     outstanding `json:"totalOutstandingSet"`
}

// outstanding is what is still to be paid of an order, in both of its currencies.
type outstanding struct {
	Shop        sum `json:"shopMoney"`
	Presentment sum `json:"presentmentMoney"`
}

type sum struct {
	Amount   commerce.Text `json:"amount"`
	Currency string        `json:"currencyCode"`
}

// in gives the amount in a currency; ok is false where it is in none of the order's.
func (o outstanding) in(currency string) (amount events.Amount, ok bool) {
	for _, s := range []sum{o.Shop, o.Presentment} {
		if s.Currency == currency {
			amount, err := s.Amount.Amount()
			return amount, err == nil
		}
	}
	return amount, false
}

func (o outstanding) String() string { return string(o.Shop.Amount) + " " + o.Shop.Currency }

// look reads the order as it is in the shop.
func (o *Outbound) look(ctx context.Context, gid string) (state, commerce.Result) {
	var data struct {
		Order *state `json:"order"`
	}
	_, result := o.call(ctx, "look at the order", lookAtOrder, map[string]any{"id": gid}, &data)
	if result.Status == commerce.Delivered && data.Order == nil {
		result.Status, result.Detail = commerce.Refused, "the shop has no such order, or the access token may not read it"
	}
	if result.Status != commerce.Delivered {
		return state{}, result
	}
	return *data.Order, result
}

// change makes a mutation. One that the shop refuses is looked at again: the order may have got there meanwhile.
func (o *Outbound) change(ctx context.Context, gid, doing, mutation string, variables map[string]any, isThere func(state) bool) commerce.Result {
	refused, result := o.mutate(ctx, doing, mutation, variables)
	if !refused {
		return result
	}
	if s, looked := o.look(ctx, gid); looked.Status == commerce.Again {
		return looked
	} else if looked.Status == commerce.Delivered && isThere(s) {
		return commerce.Done("%s: done meanwhile", doing)
	}
	return result
}

// tag adds a tag to the order.
func (o *Outbound) tag(ctx context.Context, gid, tag string) commerce.Result {
	_, result := o.mutate(ctx, "tag the order with "+tag, addTags, map[string]any{"id": gid, "tags": []string{tag}})
	return result
}

// mutate makes a mutation; refused says that the shop has answered with reasons why it did nothing.
func (o *Outbound) mutate(ctx context.Context, doing, mutation string, variables map[string]any) (refused bool, result commerce.Result) {
	var data struct {
		Result *struct {
			UserErrors []userError `json:"userErrors"`
		} `json:"result"`
	}
	_, result = o.call(ctx, doing, mutation, variables, &data)
	switch {
	case result.Status != commerce.Delivered:
	case data.Result == nil:
		result.Status, result.Detail = commerce.Again, doing+": expected the result of the call"
	case len(data.Result.UserErrors) > 0:
		refused = true
		result.Status, result.Detail = commerce.Refused, doing+": the shop refuses: "+said(data.Result.UserErrors)
	}
	return refused, result
}
