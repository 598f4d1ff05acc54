package events

import (
	"slices"
	"strconv"
	"strings"
)

// The refundIds of refunds that seqrflow asks for itself. A shop's return may not use them, nor what [RestOf] makes of them.
const (
	RefundLate   = "late"   // of a payment that came after the invoice had ended
	RefundCancel = "cancel" // of an order that was canceled after it was paid
	RefundSecond = "second" // of a second payment of the same order
)

// ReservedRefunds gives the refundIds of refunds that seqrflow asks for itself.
func ReservedRefunds() []string { return []string{RefundLate, RefundCancel, RefundSecond} }

// RestOf gives the refundId under which seqrflow asks for the n-th time, from 0, for what is to be paid back under id: id itself,
// then id-rest, id-rest-2, id-rest-3 and so on.
func RestOf(id string, n int) string {
	switch n {
	case 0:
		return id
	case 1:
		return id + "-rest"
	}
	return id + "-rest-" + strconv.Itoa(n)
}

// IsReservedRefund says whether the refundId is one that only seqrflow itself may ask with.
func IsReservedRefund(id string) bool { return ReservedRefund(id) != "" }

// ReservedRefund gives the one of [ReservedRefunds] that id is, or that [RestOf] has made id of; "" for an id of a shop.
func ReservedRefund(id string) string {
	first, number, rest := strings.Cut(id, "-rest")
	if !slices.Contains(ReservedRefunds(), first) {
		return ""
	}
	n, err := strconv.Atoi(strings.TrimPrefix(number, "-"))
	if !rest || number == "" || err == nil && id == RestOf(first, n) {
		return first
	}
	return ""
}
