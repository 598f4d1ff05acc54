package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unique"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

const (
	immediateDebit        = "IMMEDIATE_DEBIT"
	noAcknowledgment      = "NO_ACKNOWLEDGMENT"
	requireAcknowledgment = "REQUIRE_ACKNOWLEDGMENT" // also what an invoice asks for that says nothing
)

// maxAmount bounds amounts so that no sum of them can overflow.
var maxAmount = decimal.MustParse("999999999999")

// readInvoice checks an invoice element as sendInvoice, updateInvoice and refundPayment do. The code is 64 if the address to
// notify is wrong, 49 for everything else. An invoice without an issueDate has that of now.
func readInvoice(e *element, now time.Time) (*invoice, code, string) {
	if e == nil {
		return nil, invalidInvoiceData, "there is no invoice"
	}
	inv := &invoice{
		Title: e.raw("title"), CashierID: e.word("cashierId"), Footer: e.raw("footer"),
		BackURL: e.word("backURL"), NotificationURL: e.word("notificationUrl"),
	}
	inv.ClientInvoiceID = e.word("clientInvoiceId")
	if !notifiable(inv.NotificationURL) {
		return nil, invalidNotificationURL, "notificationUrl must start with http:// or https://"
	}
	for _, read := range []func(*invoice, *element) error{readModes, readTotal, readRows, readTimes} {
		if err := read(inv, e); err != nil {
			return nil, invalidInvoiceData, err.Error()
		}
	}
	if inv.IssueDate.IsZero() {
		inv.IssueDate = now
	}
	return inv, success, ""
}

// shared gives the one copy of a word that most invoices have.
func shared(word string) string { return unique.Make(word).Value() }

// notifiable tells whether an invoice may have the notificationUrl: none, or an absolute web address.
func notifiable(address string) bool {
	if address == "" {
		return true
	}
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https"))
}

func readModes(inv *invoice, e *element) error {
	inv.PaymentMode, inv.Acknowledgment = shared(e.word("paymentMode")), shared(e.word("acknowledgmentMode"))
	switch inv.PaymentMode {
	case "", immediateDebit, "RESERVATION_DESIRED", "RESERVATION_REQUIRED", "RESERVATION_REQUIRED_PRELIMINARY_AMOUNT":
	default:
		return fmt.Errorf("paymentMode %.60q is unknown", inv.PaymentMode)
	}
	switch inv.Acknowledgment {
	case "", noAcknowledgment, "OPTIONAL_ACKNOWLEDGMENT", requireAcknowledgment:
	default:
		return fmt.Errorf("acknowledgmentMode %.60q is unknown", inv.Acknowledgment)
	}
	return nil
}

func readTotal(inv *invoice, e *element) error {
	total := e.child("totalAmount")
	inv.Currency = shared(total.word("currency"))
	value, err := amountOf(total, inv.Currency)
	switch {
	case err != nil:
		return fmt.Errorf("totalAmount: %w", err)
	case value == nil:
		return errors.New("totalAmount is missing")
	case !value.IsPos():
		return errors.New("totalAmount must be above zero")
	}
	inv.Total = *value
	if len(inv.Currency) != 3 || strings.Trim(inv.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return errors.New("totalAmount: currency must be three letters such as SEK")
	}
	return nil
}

// readRows accepts an invoice without rows. Rows have to sum to the total; one without an amount counts nothing.
func readRows(inv *invoice, e *element) error {
	items := e.child("invoiceRows").children("invoiceRow")
	if len(items) == 0 {
		return nil
	}
	var sum decimal.Decimal
	rows := make([]row, 0, len(items))
	for i, item := range items {
		r, err := readRow(item, inv.Currency)
		if err != nil {
			return fmt.Errorf("invoiceRow %d: %w", i+1, err)
		}
		if r.Total != nil {
			if sum, err = sum.Add(*r.Total); err != nil {
				return fmt.Errorf("invoiceRow %d: the rows' sum is out of range", i+1)
			}
		}
		rows = append(rows, r)
	}
	if sum.Cmp(inv.Total) != 0 {
		return fmt.Errorf("the rows sum to %s, but totalAmount is %s", inCurrency(sum, inv.Currency), inv.Total)
	}
	var err error
	inv.Rows, err = json.Marshal(rows)
	return err
}

func readRow(e *element, currency string) (row, error) {
	r := row{
		Description: e.raw("itemDescription"), EAN: e.word("itemEAN"), SKU: e.word("itemSKU"), Unit: e.word("itemUnit"),
	}
	for _, f := range []struct {
		name string
		to   **decimal.Decimal
	}{{"itemTotalAmount", &r.Total}, {"itemUnitPrice", &r.UnitPrice}, {"itemDiscount", &r.Discount}} {
		value, err := amountOf(e.child(f.name), currency)
		if err != nil {
			return row{}, fmt.Errorf("%s: %w", f.name, err)
		}
		*f.to = value
	}
	for _, f := range []struct {
		name string
		to   **decimal.Decimal
	}{{"itemQuantity", &r.Quantity}, {"itemTaxRate", &r.TaxRate}} {
		if text := e.word(f.name); text != "" {
			value, err := number(text)
			if err != nil {
				return row{}, fmt.Errorf("%s: %w", f.name, err)
			}
			*f.to = &value
		}
	}
	return r, nil
}

func readTimes(inv *invoice, e *element) error {
	if text := e.word("issueDate"); text != "" {
		at, err := instant(text)
		if err != nil {
			return fmt.Errorf("issueDate: %w", err)
		}
		inv.IssueDate = at
	}
	if text := e.word("commitReservationTimeout"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds < 0 || seconds > 366*24*3600 {
			return errors.New("commitReservationTimeout must be a whole number of seconds, a year at most")
		}
		inv.ReserveFor = time.Duration(seconds) * time.Second
	}
	return nil
}

// amountOf is nil for an element that is absent or has no value. It must be in that currency, which it may leave out.
func amountOf(e *element, currency string) (*decimal.Decimal, error) {
	text := e.word("value")
	if text == "" {
		return nil, nil
	}
	value, err := number(text)
	if err != nil {
		return nil, err
	}
	if own := e.word("currency"); own != "" && own != currency {
		return nil, fmt.Errorf("currency is %.10s, not %s", own, currency)
	}
	if value.Scale() > digitsOf(currency) {
		return nil, fmt.Errorf("%q has more decimals than %.10s", text, currency)
	}
	value = inCurrency(value, currency)
	return &value, nil
}

func number(text string) (decimal.Decimal, error) {
	if len(text) > 64 {
		return decimal.Decimal{}, errors.New("too long for a number")
	}
	value, err := decimal.Parse(text)
	switch {
	case err != nil:
		return decimal.Decimal{}, fmt.Errorf("%q is not a decimal number", text)
	case value.CmpAbs(maxAmount) > 0:
		return decimal.Decimal{}, fmt.Errorf("%q is out of range", text)
	case value.Trim(0).Scale() > 6:
		return decimal.Decimal{}, fmt.Errorf("%q has more than six decimals", text)
	}
	return value.Trim(0), nil
}

// digitsOf is how many decimals an amount may have: two if ISO 4217 does not have the currency.
func digitsOf(currency string) int {
	if digits, known := events.CurrencyDigits(currency); known {
		return digits
	}
	return 2
}

// inCurrency writes an amount with the currency's decimals.
func inCurrency(d decimal.Decimal, currency string) decimal.Decimal {
	digits := digitsOf(currency)
	return d.Trim(digits).Pad(digits)
}

// maxZone is as far from UTC, in seconds, as a dateTime's zone may be.
const maxZone = 14 * 60 * 60

// instant reads an xs:dateTime; one without a zone is in UTC.
func instant(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02Z07:00", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			if _, offset := at.Zone(); offset < -maxZone || offset > maxZone {
				break
			}
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is not a dateTime", text)
}

// readTokens reads the loyalty tokens beside an invoice.
func readTokens(e *element) ([]token, error) {
	var all []token
	for _, k := range e.children("tokens") {
		t := token{Description: k.raw("description"), ID: k.word("id"), Value: k.word("value")}
		if text := k.word("status"); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return nil, fmt.Errorf("token status %.20q is not a number", text)
			}
			t.Status = n
		}
		all = append(all, t)
	}
	return all, nil
}
