package events

import (
	"encoding/base64"
	"time"
)

// The events of PARKED: a worker parks a message; a person replays it, or dismisses it when nothing has to be done about it.
const (
	ParkedParked    = "parked"
	ParkedReplayed  = "replayed"
	ParkedDismissed = "dismissed"
)

// Parked is the data of parked.<worker>.<shop>.<id>: a message that a worker could not handle.
type Parked struct {
	Worker    string    `json:"worker"`
	Consumer  string    `json:"consumer" jsonschema:"description=The consumer that will take it again"`
	Reason    string    `json:"reason" jsonschema:"description=What was wrong: the field and what was expected"`
	Attempts  int       `json:"attempts"`
	At        time.Time `json:"at"`
	Stream    string    `json:"stream"`
	Subject   string    `json:"subject"`
	Sequence  uint64    `json:"sequence" jsonschema:"description=Of the original in its stream"`
	Original  string    `json:"original,omitempty" jsonschema:"description=The message's body or its beginning"`
	Encoding  string    `json:"encoding,omitempty" jsonschema:"enum=base64"`
	Truncated bool      `json:"truncated,omitempty"`
	Replays   uint64    `json:"replays,omitempty" jsonschema:"description=In a replayed event: the sequence on PARKED of what is replayed"`

	Dismisses uint64 `json:"dismisses,omitempty" jsonschema:"description=In a dismissed event: the sequence on PARKED of what is dismissed"`
	By        string `json:"by,omitempty" jsonschema:"description=In a dismissed event: who has decided"`
	Why       string `json:"why,omitempty" jsonschema:"description=In a dismissed event: the reason"`
}

// DecodeParked reads a record of PARKED. event is ParkedParked when a worker parked a message, ParkedReplayed or ParkedDismissed when
// an operator decided about one.
func DecodeParked(body []byte) (p Parked, event string, err error) {
	p, e, err := dataOf[Parked](body)
	for _, decided := range []string{ParkedReplayed, ParkedDismissed} {
		if e.Type == TypeOf("parked."+decided) {
			return p, decided, err
		}
	}
	return p, ParkedParked, err
}

// Body is the copy of the original that was kept: the whole of it, or its beginning where Truncated says so.
func (p Parked) Body() []byte {
	if p.Encoding == "base64" {
		if b, err := base64.StdEncoding.DecodeString(p.Original); err == nil {
			return b
		}
	}
	return []byte(p.Original)
}
