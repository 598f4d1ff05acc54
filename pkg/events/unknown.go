package events

import (
	"bytes"
	"encoding/json"
	"iter"
	"reflect"
	"strings"
)

// UnknownFields are the members of a JSON object that this version does not know, as they were read:
// `"a":1,"b":[2]`. A newer version wrote them. Whatever is read with them is written with them again,
// so that an older worker does not drop what a newer one has recorded.
type UnknownFields string

// fieldNames are the names under which encoding/json reads a struct's fields.
type fieldNames map[string]bool

// fieldsOf gives the names of a struct, those of embedded structs included.
func fieldsOf(t reflect.Type) fieldNames {
	names := fieldNames{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names[name] = true
		}
	}
	return names
}

// has says whether encoding/json reads the key into a field; it takes a key in any case.
func (n fieldNames) has(key string) bool {
	for name := range n {
		if strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}

// readKeeping reads the object into plain, a type without methods, and gives the members that are no fields of it.
func readKeeping(body []byte, plain any) (UnknownFields, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(plain) == nil {
		return "", nil // as nearly always: there is nothing to look for
	}
	if err := json.Unmarshal(body, plain); err != nil {
		return "", err
	}
	var unknown []string
	known := fieldsOf(reflect.TypeOf(plain).Elem())
	for key, member := range members(body) {
		if !known.has(key) {
			unknown = append(unknown, string(member))
		}
	}
	return UnknownFields(strings.Join(unknown, ",")), nil
}

// writeWith writes plain, which has at least one field, with the unknown members at its end.
func writeWith(plain any, unknown UnknownFields) ([]byte, error) {
	body, err := Encode(plain)
	if err != nil || unknown == "" {
		return body, err
	}
	return append(append(append(body[:len(body)-1], ','), unknown...), '}'), nil
}

// members gives the members of a valid JSON object in their order: the key, and the whole member as it is written. Anything but an
// object has no members.
func members(body []byte) iter.Seq2[string, []byte] {
	return func(yield func(key string, member []byte) bool) {
		d := json.NewDecoder(bytes.NewReader(body))
		if open, err := d.Token(); err != nil || open != json.Delim('{') {
			return
		}
		for d.More() {
			begin := d.InputOffset()
			key, err := d.Token()
			var value json.RawMessage
			if err != nil || d.Decode(&value) != nil || !yield(key.(string), bytes.TrimLeft(body[begin:d.InputOffset()], ", \t\r\n")) {
				return
			}
		}
	}
}

// The types of an invoice and of a period for encoding/json alone.
type (
	plainInvoice Invoice
	plainOrder   Order
	plainRow     Row
	plainReceipt Receipt
	plainRefund  Refund
	plainPeriod  Period
	plainMark    MarkAttempts
)

// UnmarshalJSON reads the invoice and keeps what it does not know.
func (inv *Invoice) UnmarshalJSON(b []byte) (err error) {
	inv.Unknown, err = readKeeping(b, (*plainInvoice)(inv))
	return err
}

// MarshalJSON writes the invoice with what was read and is not known.
func (inv Invoice) MarshalJSON() ([]byte, error) { return writeWith(plainInvoice(inv), inv.Unknown) }

// UnmarshalJSON reads the order and keeps what it does not know.
func (o *Order) UnmarshalJSON(b []byte) (err error) {
	o.Unknown, err = readKeeping(b, (*plainOrder)(o))
	return err
}

// MarshalJSON writes the order with what was read and is not known.
func (o Order) MarshalJSON() ([]byte, error) { return writeWith(plainOrder(o), o.Unknown) }

// UnmarshalJSON reads the row and keeps what it does not know.
func (r *Row) UnmarshalJSON(b []byte) (err error) {
	r.Unknown, err = readKeeping(b, (*plainRow)(r))
	return err
}

// MarshalJSON writes the row with what was read and is not known.
func (r Row) MarshalJSON() ([]byte, error) { return writeWith(plainRow(r), r.Unknown) }

// UnmarshalJSON reads the receipt and keeps what it does not know.
func (r *Receipt) UnmarshalJSON(b []byte) (err error) {
	r.Unknown, err = readKeeping(b, (*plainReceipt)(r))
	return err
}

// MarshalJSON writes the receipt with what was read and is not known.
func (r Receipt) MarshalJSON() ([]byte, error) { return writeWith(plainReceipt(r), r.Unknown) }

// UnmarshalJSON reads the refund and keeps what it does not know.
func (r *Refund) UnmarshalJSON(b []byte) (err error) {
	r.Unknown, err = readKeeping(b, (*plainRefund)(r))
	return err
}

// MarshalJSON writes the refund with what was read and is not known.
func (r Refund) MarshalJSON() ([]byte, error) { return writeWith(plainRefund(r), r.Unknown) }

// UnmarshalJSON reads the period and keeps what it does not know.
func (p *Period) UnmarshalJSON(b []byte) (err error) {
	p.Unknown, err = readKeeping(b, (*plainPeriod)(p))
	return err
}

// MarshalJSON writes the period with what was read and is not known.
func (p Period) MarshalJSON() ([]byte, error) { return writeWith(plainPeriod(p), p.Unknown) }

// UnmarshalJSON reads the attempts and keeps what it does not know.
func (m *MarkAttempts) UnmarshalJSON(b []byte) (err error) {
	m.Unknown, err = readKeeping(b, (*plainMark)(m))
	return err
}

// MarshalJSON writes the attempts with what was read and is not known.
func (m MarkAttempts) MarshalJSON() ([]byte, error) { return writeWith(plainMark(m), m.Unknown) }
