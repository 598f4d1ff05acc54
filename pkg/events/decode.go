package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/govalues/decimal"
)

var (
	// ErrForeignEvent says that no actor of ours can have written the message on INVOICES.
	ErrForeignEvent = errors.New("not an event of ours")
	// ErrNewerVersion says that an event on INVOICES is of a newer major version: a newer worker handles it.
	ErrNewerVersion = errors.New("an event of a newer version")
	// ErrPeriodUnreadable says that a message on PERIODS is not an event of a period.
	ErrPeriodUnreadable = errors.New("unreadable period event")
)

var typeVersion = regexp.MustCompile(`^seqrflow\.invoice\.([A-Za-z0-9_-]{1,64})\.v([2-9]|[1-9][0-9]{1,8})$`)

// DecodeInvoiceEvent reads an event of INVOICES, and takes only what one of our actors could have written: a
// structured CloudEvent whose type, change and ids agree with the subject, with a step and a source that the table has.
// The broker decides which process may publish on INVOICES: a source is a claim, not a proof.
//
// The error is [ErrNewerVersion] for an event of a newer major version, and else [ErrForeignEvent]; it names
// what was expected. The envelope is returned as far as it could be read.
func DecodeInvoiceEvent(subject string, body []byte) (Invoice, Envelope, error) {
	var e Envelope
	a, err := ParseSubject(subject)
	switch {
	case err != nil:
		return Invoice{}, e, fmt.Errorf("%w: %w", ErrForeignEvent, err)
	case a.Kind != "invoices":
		return Invoice{}, e, foreign("subject", "invoices.<shop>.<invoice>.<event>", subject)
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return Invoice{}, e, fmt.Errorf("%w: expected a CloudEvent in structured JSON: %w", ErrForeignEvent, err)
	}
	if err := e.check(Name(a.Event)); err != nil {
		return Invoice{}, e, err
	}
	var inv Invoice
	if err := inv.UnmarshalJSON(e.Data); err != nil {
		return Invoice{}, e, fmt.Errorf("%w: data: %w", ErrForeignEvent, err)
	}
	if err := inv.check(a, e.Source); err != nil {
		return Invoice{}, e, err
	}
	return inv, e, nil
}

// check says whether the envelope is one that an actor of ours puts around the event.
func (e Envelope) check(name Name) error {
	wantType := TypeOf("invoice." + string(name))
	switch {
	case e.SpecVersion != "1.0":
		return foreign("specversion", "1.0", e.SpecVersion)
	case e.ID == "":
		return foreign("id", "an id", "")
	case !strings.HasPrefix(e.Source, sourcePrefix):
		return foreign("source", sourcePrefix+"<actor>", e.Source)
	case e.Type != wantType:
		if m := typeVersion.FindStringSubmatch(e.Type); m != nil && m[1] == string(name) {
			return fmt.Errorf("%w: type: expected %q, got %q", ErrNewerVersion, wantType, e.Type)
		}
		return foreign("type", wantType, e.Type)
	case !slices.Contains(Names(), name):
		return foreign("subject", "an event of an invoice", string(name))
	case len(e.Data) == 0 || e.Data[0] != '{':
		return foreign("data", "an invoice", string(e.Data))
	}
	return nil
}

// check says whether the invoice is what the event at the address leaves, and whether the source may have recorded it.
func (inv Invoice) check(a Address, source string) error {
	name, c := Name(a.Event), inv.Change
	switch {
	case c.Event != name:
		return foreign("data.change.event", a.Event, string(c.Event))
	case Token(inv.Shop) != a.Shop:
		return foreign("data.shop", "a shop with the token "+a.Shop, inv.Shop)
	case Token(inv.InvoiceID) != a.ID:
		return foreign("data.invoiceId", "an id with the token "+a.ID, inv.InvoiceID)
	}
	to, err := Next(c.From, name, inv.nothingLeft())
	recorders := RecordersOf(c.From, name)
	switch {
	case err != nil:
		return foreign("data.change.from", "a state in which "+a.Event+" may be recorded", string(c.From))
	case inv.State != to:
		return foreign("data.state", string(to)+" after "+a.Event+" on "+string(c.From), string(inv.State))
	case !slices.Contains(recorders, Actor(strings.TrimPrefix(source, sourcePrefix))):
		return foreign("source", fmt.Sprintf("%s and one of %v for %s on %s", sourcePrefix, recorders, name, c.From), source)
	}
	return inv.checkAmounts()
}

// mostAmount is more than any amount that was ever taken, see [MaxAmountDigits]. Sums of lesser ones do not overflow.
var mostAmount = decimal.MustNew(1_000_000_000_000, 0)

func (inv Invoice) checkAmounts() error {
	path, amounts := "data.total, refunded, held", []Amount{inv.Total, inv.Refunded, inv.ReservedForRefunds}
	for _, r := range inv.Refunds {
		amounts = append(amounts, r.Amount)
	}
	for i, a := range amounts {
		if i > 2 {
			path = fmt.Sprintf("data.refunds[%d].amount", i-3)
		}
		if a.Sign() < 0 || a.d.Cmp(mostAmount) >= 0 {
			return foreign(path, fmt.Sprintf("0 to %d digits", MaxAmountDigits), a.String())
		}
	}
	return nil
}

func foreign(path, expected, got string) error {
	return fmt.Errorf("%w: %s: expected %s, got %q", ErrForeignEvent, path, expected, clip(got, 80))
}

// DecodeInvoice reads the invoice out of an event of INVOICES. It does not check whether an actor of ours can have written the event.
func DecodeInvoice(body []byte) (Invoice, error) {
	inv, _, err := dataOf[Invoice](body)
	return inv, err
}

// DecodePeriod reads the period out of an event of PERIODS. The error is [ErrPeriodUnreadable].
func DecodePeriod(body []byte) (Period, error) {
	p, _, err := dataOf[*Period](body)
	switch {
	case err != nil:
		return Period{}, fmt.Errorf("%w: %w", ErrPeriodUnreadable, err)
	case p == nil:
		return Period{}, fmt.Errorf("%w: data: missing", ErrPeriodUnreadable)
	}
	return *p, nil
}

// DecodeHook reads the request of a shop's system out of an event of HOOKS.
func DecodeHook(body []byte) (Hook, error) {
	h, _, err := dataOf[Hook](body)
	return h, err
}

// dataOf reads an event and its data.
func dataOf[T any](body []byte) (data T, e Envelope, err error) {
	if err = json.Unmarshal(body, &e); err == nil {
		err = json.Unmarshal(e.Data, &data)
	}
	if err != nil {
		err = fmt.Errorf("event %s: %w", e.ID, err)
	}
	return data, e, err
}
