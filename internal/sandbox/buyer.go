package sandbox

import "github.com/govalues/decimal"

// BuyerError is why a buyer cannot do what they try.
type BuyerError struct {
	Unknown     bool // there is no such invoice; otherwise it is in a state that does not allow it
	Explanation string
}

func (e *BuyerError) Error() string { return e.Explanation }

// Scan is the buyer's app reading the QR code. Unless the invoice says NO_ACKNOWLEDGMENT, the app presents the buyer's
// loyalty card, and waits for the shop's updateInvoice.
func (s *Sandbox) Scan(ref string) error {
	return s.buyer(ref, func(next *invoice) (string, *BuyerError) {
		next.Scanned = true
		if next.Status == Issued && next.asksShop() {
			next.Status = Pending
			next.Version++
			if len(next.Tokens) == 0 {
				next.Tokens = []token{{Description: "Loyalty card", ID: "sandbox-loyalty", Status: tokenPending, Value: "9752299999999"}}
			}
		}
		return "scanned", nil
	})
}

// Confirm is the buyer with the PIN dialog open: until they pay or decline, or hesitate for thirty seconds, cancelInvoice
// answers 51.
func (s *Sandbox) Confirm(ref string) error {
	return s.buyer(ref, func(next *invoice) (string, *BuyerError) {
		if refused := next.payable(); refused != nil {
			return "", refused
		}
		next.Scanned, next.ConfirmingUntil = true, s.clock.now().Add(confirmWindow)
		return "confirming", nil
	})
}

// Decline is the buyer pressing cancel: the invoice is CANCELED, as when the shop cancels it.
func (s *Sandbox) Decline(ref string) error {
	return s.buyer(ref, func(next *invoice) (string, *BuyerError) {
		if next.Status == Reserved {
			return "", wrongState(next)
		}
		next.Status, next.Reason = Canceled, reasonDeclined
		next.Version++
		return "declined", nil
	})
}

// Fail is the payment failing at the provider, on its way or while the money is reserved: the invoice is FAILED.
func (s *Sandbox) Fail(ref string) error {
	return s.buyer(ref, func(next *invoice) (string, *BuyerError) {
		next.Status, next.Reason = Failed, reasonFailed
		next.Version++
		return "failed", nil
	})
}

// Expire ends an invoice as the provider does with one that nobody pays.
func (s *Sandbox) Expire(ref string) error {
	return s.buyer(ref, func(next *invoice) (string, *BuyerError) {
		if next.Status == Reserved {
			return "", wrongState(next)
		}
		next.Status, next.Reason = Expired, reasonExpired
		next.Version++
		return "expired", nil
	})
}

// buyer lets change alter a copy of a live invoice, and returns when that is durable.
func (s *Sandbox) buyer(ref string, change func(*invoice) (string, *BuyerError)) error {
	s.mu.Lock()
	s.catchUp()
	var written int64
	inv, refused := s.liveInvoice(ref)
	if refused == nil {
		next := *inv
		var what string
		if what, refused = change(&next); refused == nil {
			written = s.commit(&effect{What: what, Invoices: []*invoice{&next}})
		}
	}
	s.unlock()
	if refused != nil {
		return refused
	}
	return s.journal.wait(written)
}

// Pay is the buyer entering the PIN, with or without a scan before it. It turns a bill into a payment, or into a
// reservation where the bill asks for one.
func (s *Sandbox) Pay(ref string) error {
	s.mu.Lock()
	s.catchUp()
	var written int64
	var notice func()
	inv, refused := s.liveInvoice(ref)
	if refused == nil {
		refused = inv.payable()
	}
	switch {
	case refused != nil:
	case inv.reserves():
		written = s.reserve(inv)
	default:
		written, notice = s.pay(inv, inv.Total)
	}
	s.unlock()
	if refused != nil {
		return refused
	}
	if err := s.journal.wait(written); err != nil {
		return err
	}
	if notice != nil {
		notice()
	}
	return nil
}

func (s *Sandbox) liveInvoice(ref string) (*invoice, *BuyerError) {
	inv := s.st.invoices[ref]
	switch {
	case inv == nil:
		return nil, &BuyerError{Unknown: true, Explanation: "there is no invoice " + ref}
	case !inv.Status.live():
		return nil, wrongState(inv)
	}
	return inv, nil
}

func wrongState(inv *invoice) *BuyerError {
	text := "the invoice is " + string(inv.Status)
	if inv.Reason != "" {
		text += ": " + inv.Reason
	}
	return &BuyerError{Explanation: text}
}

// payable says why the buyer cannot confirm, if so.
func (inv *invoice) payable() *BuyerError {
	switch {
	case inv.Status == Reserved:
		return &BuyerError{Explanation: "the buyer has confirmed already; the shop has yet to commit the reservation"}
	case inv.Status == Pending:
		return &BuyerError{Explanation: "the buyer's app waits for the shop's updateInvoice: the invoice was sent without acknowledgmentMode" +
			" NO_ACKNOWLEDGMENT, which is to be sent unless loyalty cards are wanted"}
	case !inv.asksShop():
		return nil
	}
	return &BuyerError{Explanation: "the buyer has to scan first: the invoice was sent without acknowledgmentMode NO_ACKNOWLEDGMENT"}
}

func (s *Sandbox) reserve(inv *invoice) int64 {
	hold := inv.ReserveFor
	if hold == 0 {
		hold = defaultReservation
	}
	next := *inv
	next.Status, next.Scanned = Reserved, true
	next.ReservedUntil, next.ReservedAmount = s.clock.now().Add(hold), inv.Total
	next.Version++
	return s.commit(&effect{What: "reserved", Invoices: []*invoice{&next}})
}

// pay books nothing yet: that is for the first fetch. It gives what to do once the effect is durable.
func (s *Sandbox) pay(inv *invoice, amount decimal.Decimal) (int64, func()) {
	next := *inv
	now := s.clock.now()
	next.ErsReference = s.newSerial()
	next.Status, next.PaidAt, next.PaidAmount, next.Scanned = Paid, now, amount, true
	next.Version++
	reseller := ""
	if t := s.st.terminals[inv.Terminal]; t != nil {
		reseller = t.Reseller
	}
	written := s.commit(&effect{What: "paid", Invoices: []*invoice{&next}, Payment: &Payment{
		ErsReference: next.ErsReference, InvoiceReference: next.InvoiceReference, Terminal: next.Terminal,
		Reseller: reseller, ClientInvoiceID: next.ClientInvoiceID, CashierID: next.CashierID,
		Currency: next.Currency, Amount: amount, Refunded: inCurrency(decimal.Zero, next.Currency), At: now,
	}})
	if next.NotificationURL == "" {
		return written, nil
	}
	return written, func() {
		times := 1
		if s.faults.duplicateNotification() {
			times = 2
		}
		for range times {
			s.notices.send(next.NotificationURL, next.InvoiceReference)
		}
	}
}
