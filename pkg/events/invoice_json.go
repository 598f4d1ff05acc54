package events

import (
	"encoding/json"
	"slices"
)

var (
	invoiceFields = fieldsOf[Invoice]()
	orderFields   = fieldsOf[Order]()
	rowFields     = fieldsOf[Row]()
	receiptFields = fieldsOf[Receipt]()
	refundFields  = fieldsOf[Refund]()
)

// plainInvoice is an Invoice for encoding/json alone.
type plainInvoice Invoice

// UnmarshalJSON reads the invoice and keeps what it does not know, see [UnknownFields].
func (inv *Invoice) UnmarshalJSON(body []byte) error {
	if err := json.Unmarshal(body, (*plainInvoice)(inv)); err != nil {
		return err
	}
	inv.Unknown = unknownIn(body, invoiceFields, func(key string, value []byte) {
		switch {
		case key == "order" && inv.Order != nil:
			inv.Order.keepUnknown(value)
		case key == "receipts":
			for i, v := range elements(value) {
				if i < len(inv.Receipts) {
					inv.Receipts[i].Unknown = unknownIn(v, receiptFields, nil)
				}
			}
		case key == "refunds":
			for i, v := range elements(value) {
				if i < len(inv.Refunds) {
					inv.Refunds[i].Unknown = unknownIn(v, refundFields, nil)
				}
			}
		}
	})
	return nil
}

func (o *Order) keepUnknown(body []byte) {
	o.Unknown = unknownIn(body, orderFields, func(key string, value []byte) {
		if key != "rows" {
			return
		}
		for i, v := range elements(value) {
			if i < len(o.Rows) {
				o.Rows[i].Unknown = unknownIn(v, rowFields, nil)
			}
		}
	})
}

// MarshalJSON writes the invoice with what was read and is not known.
func (inv Invoice) MarshalJSON() ([]byte, error) {
	body, err := Encode(plainInvoice(inv))
	if err != nil || !inv.hasUnknown() {
		return body, err
	}
	return rewriteObject(body, inv.Unknown, map[string]func([]byte) []byte{
		"order": func(value []byte) []byte {
			return rewriteObject(value, inv.Order.Unknown, map[string]func([]byte) []byte{
				"rows": func(rows []byte) []byte {
					return rewriteList(rows, func(i int) UnknownFields { return inv.Order.Rows[i].Unknown })
				},
			})
		},
		"receipts": func(value []byte) []byte {
			return rewriteList(value, func(i int) UnknownFields { return inv.Receipts[i].Unknown })
		},
		"refunds": func(value []byte) []byte {
			return rewriteList(value, func(i int) UnknownFields { return inv.Refunds[i].Unknown })
		},
	}), nil
}

func (inv Invoice) hasUnknown() bool {
	return inv.Unknown != "" ||
		inv.Order != nil && (inv.Order.Unknown != "" || slices.ContainsFunc(inv.Order.Rows, func(r Row) bool { return r.Unknown != "" })) ||
		slices.ContainsFunc(inv.Receipts, func(r Receipt) bool { return r.Unknown != "" }) ||
		slices.ContainsFunc(inv.Refunds, func(r Refund) bool { return r.Unknown != "" })
}
