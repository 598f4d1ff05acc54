package schemas

import (
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/events"
)

type object = map[string]any

// asyncAPI says who publishes what on which subject.
func asyncAPI() object {
	channels, operations, messages := object{}, object{}, object{}
	add := func(name, address, kind, schema, action, summary string, params ...string) {
		parameters := object{}
		for _, p := range params {
			parameters[p] = object{"description": "A token of 1 to 64 of A-Z a-z 0-9 _ -; any other id becomes x- and its lower-case base32"}
		}
		channels[name] = object{"address": address, "parameters": parameters, "messages": object{name: object{"$ref": "#/components/messages/" + name}}}
		operations[name] = object{"action": action, "channel": object{"$ref": "#/channels/" + name}, "summary": summary}
		messages[name] = object{
			"name": events.TypeOf(kind), "contentType": "application/cloudevents+json",
			"payload": object{"type": "object", "required": []string{"specversion", "id", "source", "type", "time", "data"}, "properties": object{
				"specversion": object{"const": "1.0"}, "id": object{"type": "string"}, "source": object{"type": "string"},
				"type": object{"const": events.TypeOf(kind)}, "subject": object{"type": "string"}, "time": object{"type": "string", "format": "date-time"},
				"datacontenttype": object{"const": "application/json"}, "traceparent": object{"type": "string"}, "data": object{"$ref": "./" + schema},
			}},
		}
	}
	for e, about := range map[events.OrderName]string{events.Placed: "take payment", events.OrderCanceled: "cancel, or refund if paid", events.Returned: "refund"} {
		add("order."+string(e), "orders.{shop}.{order}."+string(e), "order."+string(e), "order."+string(e)+".v1.json", "receive", about, "shop", "order")
	}
	for _, e := range events.Names() {
		by := "recorded by " + strings.Join(recorders(e), ", ")
		add("invoice."+string(e), "invoices.{shop}.{invoice}."+string(e), "invoice."+string(e), "invoice.v1.json", "send", by, "shop", "invoice")
	}
	for _, e := range events.PeriodEvents() {
		add("period."+string(e), "periods.{shop}.{period}."+string(e), "period."+string(e), "period.v1.json", "send", "closing a period", "shop", "period")
	}
	add("delivery.attempted", "deliveries.{shop}.{destination}.{invoice}", "delivery.attempted", "delivery.v1.json", "send", "an attempt to tell a shop's system", "shop", "destination", "invoice")
	for _, e := range []string{events.ParkedParked, events.ParkedReplayed, events.ParkedDismissed} {
		add("parked."+e, "parked.{worker}.{shop}.{id}", "parked."+e, "parked.v1.json", "send", "what a worker could not handle", "worker", "shop", "id")
	}
	add("hook.refused", "hooks.{shop}.{order}.{system}", events.HookEvent, "hook.v1.json", "send", "a request of a shop's system that could not be translated", "shop", "order", "system")
	return object{
		"asyncapi": "3.0.0",
		"info": object{"title": "seqrflow", "version": "1", "description": "Orders in, invoice events out, over NATS JetStream. " +
			"receive: seqrflow consumes it; send: seqrflow publishes it."},
		"channels": channels, "operations": operations, "components": object{"messages": messages},
	}
}

// recorders are the actors that may record the event in some state.
func recorders(e events.Name) (all []string) {
	for _, t := range events.Transitions() {
		for _, a := range t.By {
			if t.On == e && !slices.Contains(all, string(a)) {
				all = append(all, string(a))
			}
		}
	}
	return all
}
