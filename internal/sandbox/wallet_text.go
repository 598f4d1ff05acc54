package sandbox

import "time"

// toldBuyer gives the state of an invoice in words that a buyer understands: a headline, and a sentence that may be
// empty.
func (inv *invoice) toldBuyer(now time.Time) (headline, message string) {
	switch inv.Status {
	case Issued:
		switch {
		case inv.confirming(now):
			return "Enter your PIN to pay", ""
		case inv.Scanned && inv.payable() == nil:
			return "Confirm to pay", ""
		}
		return "Waiting for you to pay", ""
	case Pending:
		if len(inv.Tokens) > 0 {
			return "Checking your loyalty card\u00a0…", "You can pay when the shop has answered."
		}
		return "Waiting for the shop\u00a0…", "You can pay when the shop has confirmed this invoice."
	case Reserved:
		return "Reserved", "The shop will take the final amount."
	case Paid:
		if inv.FetchedAt.IsZero() {
			return "Paid: the shop is being told\u00a0…", ""
		}
		return "Paid", ""
	case Failed:
		return "The payment failed", "Your money was not taken."
	case Expired:
		return "Too late to pay", "The time for this invoice is over. Nothing was paid."
	}
	return inv.canceledForBuyer()
}

func (inv *invoice) canceledForBuyer() (headline, message string) {
	if !inv.ReversedAt.IsZero() {
		return "Your money is back", "The shop did not confirm your payment in time, so it was paid back to you."
	}
	switch inv.Reason {
	case reasonDeclined:
		return "You canceled", "Nothing was paid."
	case reasonLapsed:
		return "Canceled", "The shop did not take the reserved money in time. It is yours again."
	case reasonReplaced:
		return "Canceled by the shop", "There is a newer invoice: scan the code again."
	}
	return "Canceled by the shop", "Nothing was paid."
}
