package orderapi

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// plain is a plain decimal. Its digits are at most events.MaxAmountDigits; an amount has no more of them after the point than its
// currency.
const plain = `^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`

// textOr is a schema of a string, or of something else that is taken for it.
func textOr(text, other *huma.Schema, example any) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{text, other}, Examples: []any{example}}
}

func decimalText(pattern, example string) *huma.Schema {
	longest := events.MaxAmountDigits + len("-.")
	return &huma.Schema{Type: huma.TypeString, Pattern: pattern, MaxLength: &longest, Examples: []any{example}}
}

type amount string

// Schema implements huma.SchemaProvider.
func (amount) Schema(huma.Registry) *huma.Schema { return decimalText(plain, "149.50") }

type amountOrAll string

// Schema implements huma.SchemaProvider.
func (amountOrAll) Schema(huma.Registry) *huma.Schema {
	return decimalText(`^(all|(0|[1-9][0-9]*)(\.[0-9]+)?)$`, "49.50")
}

type number string

// Schema implements huma.SchemaProvider.
func (number) Schema(huma.Registry) *huma.Schema {
	return textOr(decimalText(plain, "1"), &huma.Schema{Type: huma.TypeNumber}, "1")
}

type percentage string

// Schema implements huma.SchemaProvider.
func (percentage) Schema(huma.Registry) *huma.Schema {
	least, most := 0.0, 100.0
	return textOr(decimalText(`^(0|[1-9][0-9]*)(\.[0-9]+)?$`, "12"), &huma.Schema{Type: huma.TypeNumber, Minimum: &least, Maximum: &most}, "12")
}

type id string

// Schema implements huma.SchemaProvider.
func (id) Schema(huma.Registry) *huma.Schema {
	least, most := 1, events.MaxID
	return textOr(&huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most}, &huma.Schema{Type: huma.TypeInteger}, "1001")
}

type validFor string

// Schema implements huma.SchemaProvider.
func (validFor) Schema(huma.Registry) *huma.Schema {
	least, most := 1, 40
	return &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most, Examples: []any{"15m", "PT15M"}}
}
