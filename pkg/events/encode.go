package events

import (
	"bytes"
	"encoding/json"
)

// Encode writes a value as JSON without escaping <, > and &: no event stands in an HTML page, and an order full of them
// would grow sixfold, beyond what a broker takes.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
