package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// Inbound is the inbound half of a connection to a sender of CloudEvents. It is safe for concurrent use.
type Inbound struct{ keys keys }

var _ commerce.Inbound = (*Inbound)(nil)

// NewInbound takes the sender's secrets: "whsec_" and at least 24 bytes in base64. Requests signed with any of them are taken.
func NewInbound(secrets []string) (*Inbound, error) {
	ks, err := readKeys(secrets)
	return &Inbound{ks}, err
}

// Verify says whether one of the secrets has signed the request, at most 5 minutes before or after r.At.
func (in *Inbound) Verify(r commerce.Request) error { return in.keys.verify(r) }

// Translate gives the order events of one CloudEvent or of a batch. What can't be translated of a batch is in Refused.
func (in *Inbound) Translate(r commerce.Request) (commerce.Translation, error) {
	switch mode := modeOf(r); mode {
	case structured:
		return single(readStructured(r.Shop, r.Body))
	case binary:
		return single(readBinary(r.Shop, r.Header, r.Body))
	case batch:
		return readBatch(r.Shop, r.Body)
	default:
		return commerce.Translation{}, fmt.Errorf("%w %q: expected application/cloudevents+json, application/cloudevents-batch+json, or application/json with ce- headers",
			commerce.ErrContentType, commerce.Clip(r.Header.Get("Content-Type"), 80))
	}
}

// Known gives what is read of an event or a batch.
func (in *Inbound) Known(body []byte) json.RawMessage {
	return commerce.Known(body, envelope{}, []envelope{}, data{})
}

// mode is a content mode of CloudEvents over HTTP.
type mode int

const (
	unknown mode = iota
	structured
	binary
	batch
)

// oneEvent is the content type of an event in structured JSON.
const oneEvent = "application/cloudevents+json"

func modeOf(r commerce.Request) mode {
	isBinary := r.Header.Get("ce-specversion") != ""
	contentType := r.Header.Get("Content-Type")
	if contentType == "" && isBinary {
		return binary
	}
	media, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil, params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8"):
		return unknown
	case media == oneEvent:
		return structured
	case media == "application/cloudevents-batch+json":
		return batch
	case isBinary && isJSON(media):
		return binary
	}
	return unknown
}

func isJSON(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

func single(e commerce.Event, err error) (commerce.Translation, error) {
	if err != nil {
		return commerce.Translation{}, err
	}
	return commerce.Translation{Order: e.Order, Events: []commerce.Event{e}}, nil
}

func readBatch(shop string, body []byte) (t commerce.Translation, err error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil || elements == nil {
		return t, &commerce.Refusal{Field: "body", Expected: "expected a JSON list of CloudEvents"}
	}
	for i, element := range elements {
		e, err := readStructured(shop, element)
		var refusal *commerce.Refusal
		switch {
		case errors.As(err, &refusal):
			refusal.Field = strings.TrimSuffix(fmt.Sprintf("[%d].%s", i, refusal.Field), ".")
			t.Refused = append(t.Refused, commerce.RefusedPart{Body: bytes.Clone(element), ContentType: oneEvent, Refusal: refusal})
		case err != nil:
			return commerce.Translation{}, err
		default:
			t.Events = append(t.Events, e)
		}
	}
	if len(elements) == 0 {
		t.Note = "an empty batch"
	}
	return t, nil
}
