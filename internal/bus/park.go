package bus

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// maxOriginal bounds the copy of the original in a parked event. The whole is in its stream.
const maxOriginal = 16 << 10

// park keeps the message, with the reason. The id is made of what is parked, so that a worker which
// dies before it acknowledges does not park twice.
func (b *Bus) park(ctx context.Context, c Consumer, d Delivery, attempts int, reason error) error {
	shop, id := addressee(d.Subject)
	p := events.Parked{
		Worker: c.Worker, Consumer: c.durable(), Reason: reason.Error(), Attempts: max(attempts, 1), At: b.Now().UTC(),
		Stream: d.Stream, Subject: d.Subject, Sequence: d.Seq,
	}
	p.Original, p.Encoding, p.Truncated = excerpt(d.Body)
	msgID := fmt.Sprintf("parked-%s-%s-%d", c.durable(), d.Stream, d.Seq)
	if d.Replayed {
		msgID += "-" + nuid.Next()
	}
	b.metrics.parked.WithLabelValues(c.Worker).Inc()
	return b.publishParked(ctx, events.ParkedSubject(c.Worker, shop, id), "/seqrflow/"+c.Worker, msgID, events.ParkedParked, p)
}

// Replay asks the worker to take a parked message once more.
func (b *Bus) Replay(ctx context.Context, subject string, p events.Parked, seq uint64) error {
	p.Replays, p.At = seq, b.Now().UTC()
	return b.publishParked(ctx, subject, "/seqrflow/operator", nuid.Next(), events.ParkedReplayed, p)
}

func (b *Bus) publishParked(ctx context.Context, subject, source, id, event string, p events.Parked) error {
	e, err := events.NewEnvelope(id, source, "parked."+event, p.Subject, p.At, p)
	if err != nil {
		return err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return b.publish(ctx, &nats.Msg{Subject: subject, Data: body, Header: nats.Header{"Content-Type": {"application/cloudevents+json"}}},
		jetstream.WithMsgID(id))
}

// addressee finds the shop and id in a subject that may be anything.
func addressee(subject string) (shop, id string) {
	t := strings.Split(subject, ".")
	if len(t) < 4 {
		return "unknown", subject
	}
	return t[1], strings.Join(t[2:len(t)-1], ".")
}

func excerpt(body []byte) (text, encoding string, truncated bool) {
	if len(body) > maxOriginal {
		body, truncated = body[:maxOriginal], true
	}
	if utf8.Valid(body) || truncated && utf8.Valid(body[:len(body)-utf8.UTFMax]) {
		return strings.ToValidUTF8(string(body), ""), "", truncated
	}
	return base64.StdEncoding.EncodeToString(body), "base64", truncated
}
