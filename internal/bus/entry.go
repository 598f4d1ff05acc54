package bus

import (
	"encoding/json"
	"fmt"
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

// MarshalJSON writes stream, seq, time, subject, and the body: as event if it is JSON, else as text.
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

// eventID gives the id of the event, "" if it was published without one.
func (e Entry) eventID() string { return nats.Header(e.Header).Get(nats.MsgIdHdr) }

func entryOfDelivery(m jetstream.Msg) (Entry, *jetstream.MsgMetadata, error) {
	meta, err := m.Metadata()
	if err != nil {
		return Entry{}, nil, err
	}
	e := events.Message{Subject: m.Subject(), Header: m.Headers(), Body: m.Data()}
	return Entry{e, meta.Stream, meta.Sequence.Stream, meta.Timestamp}, meta, nil
}

// dataOf reads an event and its data.
func dataOf[T any](body []byte) (data T, e events.Envelope, err error) {
	if err = json.Unmarshal(body, &e); err == nil {
		err = json.Unmarshal(e.Data, &data)
	}
	if err != nil {
		err = fmt.Errorf("event %s: %w", e.ID, err)
	}
	return data, e, err
}
