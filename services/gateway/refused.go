package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// lastParked finds what was parked of an order, as bus.LastParked and bus.GivenUp do.
type lastParked func(ctx context.Context, worker, shop, id string) (p events.Parked, ok bool, err error)

// keepRefused stores what could not be translated, without what could be personal data of a buyer. What is parked already, as before says,
// and comes again, as shops' systems and sweeps do, is not stored again. Of a request that is larger than the broker takes, all but the
// body is stored.
func (g *Gateway) keepRefused(ctx context.Context, h hook, req commerce.Request, part commerce.RefusedPart, before lastParked) error {
	sum := sha256.Sum256(part.Body)
	kept := events.Hook{
		Shop: h.shop, System: h.name, Order: part.Refusal.Order, Reason: part.Refusal.Error(), Received: req.At.UTC(),
		Header: h.about(req.Header), Body: h.inbound.Known(part.Body), Bytes: len(part.Body), SHA256: hex.EncodeToString(sum[:]),
	}
	if part.ContentType != "" {
		kept.Header["Content-Type"] = part.ContentType
	}
	on, err := events.ParseSubject(events.HookSubject(kept.Shop, kept.Order, kept.System))
	if err != nil {
		return err
	}
	last, ok, err := before(ctx, Name, on.Shop, on.ID)
	if err != nil {
		return err
	}
	if parked, err := hookOf(last.Body()); ok && err == nil && sameRefused(parked, kept) {
		return nil
	}
	err = g.Bus.KeepHook(ctx, kept)
	if errors.Is(err, bus.ErrTooLarge) {
		kept.Body = nil // the shop's system would send it again for nothing, and a sweep would read no order after it
		err = g.Bus.KeepHook(ctx, kept)
	}
	return err
}

// sameRefused says whether two requests say the same. A webhook and a sweep bring different bodies of one order, of which the same is kept.
func sameRefused(a, b events.Hook) bool {
	return a.SHA256 == b.SHA256 || len(b.Body) > 0 && bytes.Equal(a.Body, b.Body) && a.Reason == b.Reason
}

func hookOf(body []byte) (h events.Hook, err error) {
	var e events.Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return h, err
	}
	return h, json.Unmarshal(e.Data, &h)
}

// handleRefused translates once more what could not be translated: by a newer version or with other settings that may succeed. What
// still can't be translated is parked.
func (g *Gateway) handleRefused(ctx context.Context, d bus.Delivery) bus.Outcome {
	kept, err := events.DecodeHook(d.Body)
	if err != nil {
		return bus.Park(fmt.Errorf("hook: %w", err))
	}
	h, ok := g.hookOf(kept.Shop, kept.System)
	if !ok {
		return bus.Park(fmt.Errorf("connections.%s.%s: missing in the connections file", kept.Shop, kept.System))
	}
	if !d.Replayed {
		return bus.Park(errors.New(kept.Reason))
	}
	req := commerce.Request{Shop: h.shop, Header: http.Header{}, Body: kept.Body, At: g.Bus.Now()}
	for name, value := range kept.Header {
		req.Header.Set(name, value)
	}
	t, err := h.inbound.Translate(req)
	if err == nil && len(t.Refused) > 0 {
		err = t.Refused[0].Refusal
	}
	if err != nil {
		return bus.Park(err)
	}
	_, err = g.publish(ctx, h.shop, h.name, t.Events)
	return bus.Recorded(err)
}
