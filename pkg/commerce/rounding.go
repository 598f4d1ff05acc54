package commerce

import (
	"fmt"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// RoundingRow is the description of the row that [AddRounding] adds.
const RoundingRow = "Rounding"

// AddRounding makes the rows sum to the total that the shop asks for. Shops round each row and the total on their own: a
// difference of at most one unit of the last digit for each row becomes a row of its own. digits is how many digits after the
// point the shop calculates with, so one unit is 0.01 for 2 and 1 for 0.
//
// A larger difference is not rounding. The error is a [Refusal] that names both sums, without an order or a field; the caller
// fills them in.
func AddRounding(rows []events.Row, total events.Amount, digits int) ([]events.Row, error) {
	var sum events.Amount
	for _, r := range rows {
		sum = sum.Add(r.Total)
	}
	rest := total.Sub(sum)
	if rest.IsZero() {
		return rows, nil
	}
	most, err := decimal.MustNew(1, digits).Mul(decimal.MustNew(int64(len(rows)), 0))
	if err != nil || rest.Decimal().CmpAbs(most) > 0 {
		return nil, &Refusal{Expected: fmt.Sprintf("expected the sum of the %d rows, %s, give or take %s for rounding; got %s",
			len(rows), sum, most, total)}
	}
	return append(rows, events.Row{Description: RoundingRow, Quantity: decimal.One, Total: rest}), nil
}
