package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Delivery is a message of a consumer that is given to a handler.
type Delivery struct {
	Entry
	Redelivered bool // an earlier delivery was not acknowledged: its handler may have done everything, a part, or nothing
	Replayed    bool // an operator has sent it back from PARKED

	lease *Lease // of the handler
}

// Lost says whether another copy may have the message by now. A handler asks right before it has the provider do something that
// must not be done twice, and ends with Dropped if it is lost.
func (d Delivery) Lost() bool { return d.lease != nil && d.lease.Lost() }

// Invoice gives the invoice after the event that the message is. The error says that no worker can have written the message.
func (d Delivery) Invoice() (events.Invoice, error) {
	inv, _, err := events.DecodeInvoiceEvent(d.Subject, d.Body)
	return inv, err
}

// Key gives the invoice of a message of INVOICES; it is empty for another message.
func (d Delivery) Key() events.Key {
	a, _ := events.ParseSubject(d.Subject)
	return a.Key()
}

// Previous gives the sequence of the message of the same invoice that was the last one when this one was published; 0 is none.
func (e Entry) Previous() uint64 {
	seq, _ := strconv.ParseUint(nats.Header(e.Header).Get(jetstream.ExpectedLastSubjSeqHeader), 10, 64)
	return seq
}

// body fetches the header and body, which a consumer of headers leaves at the broker.
func (b *Bus) body(ctx context.Context, d *Delivery) error {
	if len(d.Header["Nats-Msg-Size"]) == 0 {
		return nil
	}
	e, err := b.MessageAt(ctx, d.Stream, d.Seq)
	if errors.Is(err, ErrNoMessage) {
		e, err = b.notYetOrGone(ctx, d.Entry)
	}
	if err != nil {
		return err
	}
	d.Header, d.Body = e.Header, e.Body
	return nil
}

// notYetOrGone looks again for a delivered message that the leader of its stream does not have. In a cluster a consumer may have another
// leader, and deliver the message before the stream's leader has stored it. Only a leader that has stored a message of this
// sequence, or a later one, can say that it is gone: then the error is ErrNoMessage.
func (b *Bus) notYetOrGone(ctx context.Context, delivered Entry) (Entry, error) {
	switch last, err := b.LastSeq(ctx, delivered.Stream); {
	case err != nil:
		return Entry{}, err
	case last < delivered.Seq:
		return Entry{}, fmt.Errorf("message %d of %s: the leader of the stream has stored only %d yet", delivered.Seq, delivered.Stream, last)
	}
	return b.MessageAt(ctx, delivered.Stream, delivered.Seq)
}

// errNotOurs says that a record of PARKED asks nothing of this consumer.
var errNotOurs = errors.New("not a replay for this consumer")

// original gives the delivery of the message that was parked, for a record of PARKED that has it replayed.
func (b *Bus) original(ctx context.Context, c Consumer, replay Delivery) (Delivery, error) {
	p, event, err := events.DecodeParked(replay.Body)
	if err != nil || event != events.ParkedReplayed || p.Consumer != c.Name {
		return replay, errNotOurs
	}
	e, err := b.MessageAt(ctx, p.Stream, p.Sequence)
	if errors.Is(err, ErrNoMessage) {
		e, err = Entry{events.Message{Subject: p.Subject, Body: p.Body()}, p.Stream, p.Sequence, replay.Time}, nil
	}
	if err == nil {
		replay.Entry, replay.Replayed = e, true
	}
	return replay, err
}

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
