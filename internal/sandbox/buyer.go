package sandbox

import (
	"cmp"

	"github.com/govalues/decimal"
)

// refusal says why the state of an invoice does not allow an act of the buyer.
type refusal string

func (r refusal) Error() string { return string(r) }

// Scan is the buyer's app reading the QR code. Unless the invoice says NO_ACKNOWLEDGMENT, the app presents the buyer's
// loyalty card, and waits for the shop's updateInvoice. Like every act of the buyer it returns when its effect is durable.
// The error says why the invoice does not allow the act, or that the journal cannot be written.
func (s *Sandbox) Scan(ref string) error {
	return s.act(ref, func(inv *invoice) (reply, error) {
		next := *inv
		next.Scanned = true
		if next.Status == Issued && next.asksShop() {
			next.Status = Pending
			next.Version++
			if len(next.Tokens) == 0 {
				next.Tokens = []token{{Description: "Loyalty card", ID: "sandbox-loyalty", Status: tokenPending, Value: "9752299999999"}}
			}
		}
		return reply{written: s.put("scanned", &next)}, nil
	})
}

// Confirm opens the PIN dialog: until the buyer pays or declines, but for 30 seconds at most, cancelInvoice answers 51.
func (s *Sandbox) Confirm(ref string) error {
	return s.act(ref, func(inv *invoice) (reply, error) {
		if refused := inv.payable(); refused != nil {
			return reply{}, refused
		}
		next := *inv
		next.Scanned, next.ConfirmingUntil = true, s.clock.now().Add(confirmWindow)
		return reply{written: s.put("confirming", &next)}, nil
	})
}

// Decline is the buyer pressing cancel: the invoice is CANCELED, as when the shop cancels it.
func (s *Sandbox) Decline(ref string) error {
	return s.act(ref, func(inv *invoice) (reply, error) {
		if inv.Status == Reserved {
			return reply{}, wrongState(inv)
		}
		return reply{written: s.put("declined", inv.as(Canceled, reasonDeclined))}, nil
	})
}

// Fail makes the payment fail, on its way or while the money is reserved: the invoice is FAILED.
func (s *Sandbox) Fail(ref string) error {
	return s.act(ref, func(inv *invoice) (reply, error) {
		return reply{written: s.put("failed", inv.as(Failed, reasonFailed))}, nil
	})
}

// Expire ends an invoice as the provider does with one that is not paid in time: it is EXPIRED.
func (s *Sandbox) Expire(ref string) error {
	return s.act(ref, func(inv *invoice) (reply, error) {
		if inv.Status == Reserved {
			return reply{}, wrongState(inv)
		}
		return reply{written: s.put("expired", inv.as(Expired, reasonExpired))}, nil
	})
}

// Pay is the buyer entering the PIN, with or without a scan before it. It makes a payment of an invoice, or a reservation
// where the invoice asks for one.
func (s *Sandbox) Pay(ref string) error {
	return s.act(ref, func(inv *invoice) (reply, error) {
		if refused := inv.payable(); refused != nil {
			return reply{}, refused
		}
		if inv.reserves() {
			return reply{written: s.reserve(inv)}, nil
		}
		return s.pay(inv, inv.Total), nil
	})
}

// act makes do change a live invoice, and returns when that is durable.
func (s *Sandbox) act(ref string, do func(*invoice) (reply, error)) error {
	s.mu.Lock()
	s.catchUp()
	var r reply
	inv, err := s.liveInvoice(ref)
	if err == nil {
		r, err = do(inv)
	}
	s.unlock()
	if err == nil {
		err = s.journal.wait(r.written)
	}
	if err == nil && r.after != nil {
		r.after()
	}
	return err
}

func (s *Sandbox) liveInvoice(ref string) (*invoice, error) {
	inv := s.st.invoices[ref]
	switch {
	case inv == nil:
		return nil, refusal("there is no invoice " + ref)
	case !inv.Status.live():
		return nil, wrongState(inv)
	}
	return inv, nil
}

func wrongState(inv *invoice) error {
	text := "the invoice is " + string(inv.Status)
	if inv.Reason != "" {
		text += ": " + inv.Reason
	}
	return refusal(text)
}

// payable says why the buyer cannot confirm; nil if the buyer can.
func (inv *invoice) payable() error {
	switch {
	case inv.Status == Reserved:
		return refusal("the buyer has confirmed already; the shop has yet to commit the reservation")
	case inv.Status == Pending:
		return refusal("the buyer's app waits for the shop's updateInvoice: the invoice was sent without acknowledgmentMode" +
			" NO_ACKNOWLEDGMENT, which is to be sent unless loyalty cards are wanted")
	case inv.asksShop():
		return refusal("the buyer has to scan first: the invoice was sent without acknowledgmentMode NO_ACKNOWLEDGMENT")
	}
	return nil
}

func (s *Sandbox) reserve(inv *invoice) int64 {
	next := inv.as(Reserved, "")
	next.Scanned = true
	next.ReservedUntil, next.ReservedAmount = s.clock.now().Add(cmp.Or(inv.ReserveFor, defaultReservation)), inv.Total
	return s.put("reserved", next)
}

// pay makes a payment, which is booked when PAID is first fetched. What is to do after it is the notification.
func (s *Sandbox) pay(inv *invoice, amount decimal.Decimal) reply {
	next := inv.as(Paid, "")
	next.ErsReference = s.newSerial()
	next.PaidAt, next.PaidAmount, next.Scanned = s.clock.now(), amount, true
	reseller := ""
	if t := s.st.terminals[inv.Terminal]; t != nil {
		reseller = t.Reseller
	}
	r := reply{written: s.commit(&effect{What: "paid", Invoices: []*invoice{next}, Payment: &Payment{
		ErsReference: next.ErsReference, InvoiceReference: next.InvoiceReference, Terminal: next.Terminal,
		Reseller: reseller, ClientInvoiceID: next.ClientInvoiceID, CashierID: next.CashierID,
		Currency: next.Currency, Amount: amount, Refunded: inCurrency(decimal.Zero, next.Currency), At: next.PaidAt,
	}})}
	if next.NotificationURL != "" {
		r.after = func() {
			s.notifier.send(next.NotificationURL, next.InvoiceReference)
			if s.faults.duplicateNotification() {
				s.notifier.send(next.NotificationURL, next.InvoiceReference)
			}
		}
	}
	return r
}
