package broker

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/bus"
)

// Kind of a right.
type Kind string

// What may be done with a subject.
const (
	Publish   Kind = "publish"
	Subscribe Kind = "subscribe"
)

// Right to publish to a subject, or to subscribe to it.
type Right struct {
	Kind    Kind
	Subject string
	Many    bool // a request has more than one answer
}

const api = "$JS.API."

func directGet(stream string) string { return api + "DIRECT.GET." + stream }

// Rights of the role, each once, in a fixed order. The replies to its requests are not among them.
func (r Role) Rights() []Right {
	var out []Right
	add := func(k Kind, subjects ...string) {
		for _, s := range subjects {
			out = append(out, Right{Kind: k, Subject: s, Many: strings.HasPrefix(s, api+"CONSUMER.MSG.NEXT.")})
		}
	}
	add(Publish, r.Publishes...)
	add(Subscribe, r.Subscribes...)
	for _, s := range append(slices.Clone(r.Reads), r.Scans...) {
		add(Publish, api+"STREAM.INFO."+s, api+"STREAM.MSG.GET."+s, directGet(s), directGet(s)+".>")
	}
	for _, s := range r.Scans {
		add(Publish, api+"CONSUMER.CREATE."+s+".*", api+"CONSUMER.CREATE."+s+".*.>", api+"CONSUMER.DELETE."+s+".*",
			api+"CONSUMER.LIST."+s, api+"CONSUMER.INFO."+s+".*", api+"CONSUMER.MSG.NEXT."+s+".*")
	}
	for _, d := range r.Consumes {
		add(Publish, api+"CONSUMER.INFO."+d.Stream+"."+d.Name, api+"CONSUMER.MSG.NEXT."+d.Stream+"."+d.Name, "$JS.ACK."+d.Stream+"."+d.Name+".>")
		add(Subscribe, advisory("MAX_DELIVERIES", d), advisory("MSG_TERMINATED", d))
	}
	for _, d := range r.Watches {
		add(Publish, api+"STREAM.INFO."+d.Stream, api+"CONSUMER.INFO."+d.Stream+"."+d.Name)
	}
	if r.Provisions {
		add(Publish, api+"STREAM.CREATE.*", api+"STREAM.UPDATE.*", api+"STREAM.INFO.*", api+"STREAM.NAMES", api+"STREAM.LIST",
			api+"CONSUMER.CREATE.*.*", api+"CONSUMER.CREATE.*.*.>", api+"CONSUMER.INFO.*.*", api+"CONSUMER.NAMES.*", api+"CONSUMER.LIST.*")
	}
	if slices.ContainsFunc(out, func(r Right) bool { return strings.HasPrefix(r.Subject, api+"STREAM.") }) {
		add(Publish, api+"INFO")
	}
	slices.SortFunc(out, func(a, b Right) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
	})
	return withoutCovered(slices.Compact(out))
}

// withoutCovered leaves out rights that another one contains.
func withoutCovered(all []Right) []Right {
	return slices.DeleteFunc(slices.Clone(all), func(r Right) bool {
		return slices.ContainsFunc(all, func(o Right) bool { return o != r && o.Kind == r.Kind && bus.Covers(o.Subject, r.Subject) })
	})
}

func advisory(kind string, d bus.Consumer) string {
	return "$JS.EVENT.ADVISORY.CONSUMER." + kind + "." + d.Stream + "." + d.Name
}

// Denied are the subjects that the role's rights contain and that it may not publish to all the same: who makes
// consumers of its own must not change, use or delete those of the workers.
func (r Role) Denied() []string {
	var out []string
	for _, d := range r.durables {
		if !slices.Contains(r.Scans, d.Stream) {
			continue
		}
		at := d.Stream + "." + d.Name
		if !r.Provisions {
			out = append(out, api+"CONSUMER.CREATE."+at, api+"CONSUMER.CREATE."+at+".>")
		}
		out = append(out, api+"CONSUMER.DELETE."+at)
		if !slices.ContainsFunc(r.Consumes, func(c bus.Consumer) bool { return c.Name == d.Name }) {
			out = append(out, api+"CONSUMER.MSG.NEXT."+at)
		}
	}
	return out
}

// May gives a function that says whether the role may do that with the subject, which may have wildcards.
func (r Role) May() func(k Kind, subject string) bool {
	rights, denied := r.Rights(), r.Denied()
	return func(k Kind, subject string) bool {
		if k == Publish && slices.ContainsFunc(denied, func(d string) bool { return bus.Covers(d, subject) }) {
			return false
		}
		return slices.ContainsFunc(rights, func(have Right) bool { return have.Kind == k && bus.Covers(have.Subject, subject) })
	}
}
