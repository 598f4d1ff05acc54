package bus

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// KeepHook stores a request of a shop's system that could not be translated, for the gateway's consumer to park.
func (b *Bus) KeepHook(ctx context.Context, h events.Hook) error {
	e := event{nuid.Next(), events.SourceOf("gateway"), events.HookEvent, h.Shop + "/" + h.Order, h.Received, h}
	return b.publishEvent(ctx, events.HookSubject(h.Shop, h.Order, h.System), nats.Header{}, e)
}

// Cursor is how far something has been read that is outside of the broker.
type Cursor struct {
	Seq  uint64 // of the message that has it; 0 if there is none
	body []byte
}

// Decode reads what was stored.
func (c Cursor) Decode(into any) error { return json.Unmarshal(c.body, into) }

// ErrCursorMoved says that another process has stored the cursor meanwhile.
var ErrCursorMoved = errors.New("another process has moved the cursor")

// LoadCursor gives the cursor of a shop's system.
func (b *Bus) LoadCursor(ctx context.Context, shop, system string) (Cursor, error) {
	last, err := b.last(ctx, events.CursorsStream, cursorSubject(shop, system))
	if err != nil || last.Seq == 0 {
		return Cursor{}, err
	}
	return Cursor{last.Seq, last.Body}, nil
}

// StoreCursor stores what value encodes to as the cursor of a shop's system, in place of the one that was loaded. The error is
// ErrCursorMoved if that was not the last one any more.
func (b *Bus) StoreCursor(ctx context.Context, shop, system string, loaded Cursor, value any) (Cursor, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return loaded, err
	}
	m := &nats.Msg{Subject: cursorSubject(shop, system), Data: body, Header: nats.Header{}}
	err = b.publish(ctx, m, jetstream.WithMsgID(nuid.Next()), jetstream.WithExpectLastSequencePerSubject(loaded.Seq))
	if isConflict(err) {
		return loaded, ErrCursorMoved
	}
	if err != nil {
		return loaded, err
	}
	return b.LoadCursor(ctx, shop, system)
}

func cursorSubject(shop, system string) string {
	return "cursors." + events.Token(shop) + "." + events.Token(system)
}
