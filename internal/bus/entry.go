package bus

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Entry is one message of a stream.
type Entry struct {
	events.Message
	Stream string
	Seq    uint64
	Time   time.Time // when it was stored, by the broker's clock
}

// MarshalJSON writes the entry with its body as JSON where it is JSON, else as text.
func (e Entry) MarshalJSON() ([]byte, error) {
	out := struct {
		Stream  string          `json:"stream"`
		Seq     uint64          `json:"seq"`
		Time    time.Time       `json:"time"`
		Subject string          `json:"subject"`
		Event   json.RawMessage `json:"event,omitempty"`
		Text    string          `json:"text,omitempty"`
	}{Stream: e.Stream, Seq: e.Seq, Time: e.Time.UTC(), Subject: e.Subject}
	if json.Valid(e.Body) {
		out.Event = e.Body
	} else {
		out.Text = string(e.Body)
	}
	return json.Marshal(out)
}

// eventID is the id of the event that the entry is, "" when it was published without one.
func (e Entry) eventID() string { return nats.Header(e.Header).Get(nats.MsgIdHdr) }

func entryOfDelivery(m jetstream.Msg) (Entry, *jetstream.MsgMetadata, error) {
	meta, err := m.Metadata()
	if err != nil {
		return Entry{}, nil, err
	}
	e := events.Message{Subject: m.Subject(), Header: m.Headers(), Body: m.Data()}
	return Entry{e, meta.Stream, meta.Sequence.Stream, meta.Timestamp}, meta, nil
}

// filters are subjects with wildcards, taken apart. None of them matches everything.
type filters [][]string

func filtersOf(subjects []string) filters {
	var f filters
	for _, s := range subjects {
		f = append(f, strings.Split(s, "."))
	}
	return f
}

// match says whether one of the filters matches the subject, as the broker would.
func (f filters) match(subject string) bool {
	if len(f) == 0 {
		return true
	}
	tokens := strings.Split(subject, ".")
	for _, filter := range f {
		if matchTokens(filter, tokens) {
			return true
		}
	}
	return false
}

func matchTokens(filter, tokens []string) bool {
	for i, t := range filter {
		switch {
		case t == ">":
			return len(tokens) > i
		case i >= len(tokens) || t != "*" && t != tokens[i]:
			return false
		}
	}
	return len(filter) == len(tokens)
}

// each gives the filter of all messages of each invoice, order, period or parked message that the filters name. ok is false
// when one of them names none by its id.
func (f filters) each() (wide []string, ok bool) {
	for _, t := range f {
		if len(t) != 4 {
			return nil, false
		}
		w, id := t[0]+"."+t[1]+"."+t[2]+".*", t[2]
		if t[0] == parkedPrefix {
			w, id = t[0]+".*."+t[2]+"."+t[3], t[3]
		}
		if !events.IsToken(id) {
			return nil, false
		}
		if !slices.Contains(wide, w) {
			wide = append(wide, w)
		}
	}
	return wide, len(f) > 0
}

// shopOf is the place of the shop in a subject of the kind.
func shopOf(kind string) int {
	if kind == parkedPrefix {
		return 2
	}
	return 1
}

// parkedPrefix begins the subjects of PARKED, which name the worker before the shop.
const parkedPrefix = "parked"
