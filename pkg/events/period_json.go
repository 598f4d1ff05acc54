package events

import "encoding/json"

var (
	periodFields = fieldsOf[Period]()
	markFields   = fieldsOf[MarkAttempts]()
)

// plainPeriod is a Period for encoding/json alone.
type plainPeriod Period

// UnmarshalJSON reads the period and keeps what it does not know, see [UnknownFields].
func (p *Period) UnmarshalJSON(body []byte) error {
	if err := json.Unmarshal(body, (*plainPeriod)(p)); err != nil {
		return err
	}
	p.Unknown = unknownIn(body, periodFields, func(key string, value []byte) {
		if key == "mark" {
			p.Mark.Unknown = unknownIn(value, markFields, nil)
		}
	})
	return nil
}

// MarshalJSON writes the period with what was read and is not known.
func (p Period) MarshalJSON() ([]byte, error) {
	body, err := Encode(plainPeriod(p))
	if err != nil || p.Unknown == "" && p.Mark.Unknown == "" {
		return body, err
	}
	return rewriteObject(body, p.Unknown, map[string]func([]byte) []byte{
		"mark": func(value []byte) []byte { return rewriteObject(value, p.Mark.Unknown, nil) },
	}), nil
}
