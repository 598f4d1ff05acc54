package chaos

import (
	"slices"
	"time"
)

// attempts is how often a smaller schedule is carried out before it counts as one that works: the order in which concurrent steps run
// is no part of a schedule.
const attempts = 3

// shrink drops one part of a failing schedule after another, as long as it goes on failing.
func shrink(r result, limit time.Duration, run func(schedule) result) result {
	deadline := time.Now().Add(limit)
	for smaller := true; smaller; {
		smaller = false
		for _, s := range r.schedule.parts() {
			if time.Now().After(deadline) {
				return r
			}
			if again, failed := failing(s, run); failed {
				r, smaller = again, true
				break
			}
		}
	}
	return r
}

func failing(s schedule, run func(schedule) result) (result, bool) {
	for range attempts {
		if r := run(s); len(r.problems) > 0 {
			return r, true
		}
	}
	return result{}, false
}

// parts gives all schedules with one element less.
func (s schedule) parts() (all []schedule) {
	for _, o := range s.Orders {
		if t := s.without(o); len(t.Orders) > 0 {
			all = append(all, t)
		}
	}
	for i := range s.Interruptions {
		t := s
		t.Interruptions = without(s.Interruptions, i)
		all = append(all, t)
	}
	for i := range s.LateAcks {
		t := s
		t.LateAcks = without(s.LateAcks, i)
		all = append(all, t)
	}
	for i := range s.Faults {
		t := s
		t.Faults = without(s.Faults, i)
		all = append(all, t)
	}
	for i, o := range s.Orders {
		for j := range o.Messages {
			t := s
			t.Orders = slices.Clone(s.Orders)
			t.Orders[i].Messages = without(o.Messages, j)
			all = append(all, t)
		}
	}
	return append(all, s.lesser()...)
}

// lesser gives all schedules with one disturbance less.
func (s schedule) lesser() (all []schedule) {
	for i := range s.ForeignWrites {
		t := s
		t.ForeignWrites = without(s.ForeignWrites, i)
		all = append(all, t)
	}
	for i := range s.Losses {
		t := s
		t.Losses = without(s.Losses, i)
		all = append(all, t)
	}
	for i, x := range s.Destinations {
		t := s
		t.Destinations = without(s.Destinations, i)
		all = append(all, t)
		if x.Trouble != nil {
			t.Destinations = slices.Clone(s.Destinations)
			t.Destinations[i].Trouble = nil
			all = append(all, t)
		}
	}
	less := func(now bool, change func(*schedule)) {
		if now {
			t := s
			change(&t)
			all = append(all, t)
		}
	}
	less(s.Silence != nil, func(t *schedule) { t.Silence = nil })
	less(s.Narrow, func(t *schedule) { t.Narrow = false })
	less(s.Replace > 0, func(t *schedule) { t.Replace = 0 })
	less(s.Copies > 1, func(t *schedule) { t.Copies = 1 })
	return all
}

// without removes an order and what is about it: other tries at it, and foreign messages.
func (s schedule) without(o order) schedule {
	gone := func(id string) bool { return id == o.ID || o.Of == "" && id == o.ID+"b" }
	s.Orders = slices.DeleteFunc(slices.Clone(s.Orders), func(x order) bool { return gone(x.ID) })
	s.ForeignWrites = slices.DeleteFunc(slices.Clone(s.ForeignWrites), func(x foreignWrite) bool { return gone(x.Invoice) || gone(x.Of) })
	if s.Silence != nil && gone(s.Silence.Until) {
		s.Silence = nil
	}
	s.Destinations = slices.Clone(s.Destinations)
	for i, x := range s.Destinations {
		if x.Trouble != nil && gone(x.Trouble.Until) {
			s.Destinations[i].Trouble = nil
		}
	}
	return s
}

func without[T any](list []T, i int) []T { return slices.Delete(slices.Clone(list), i, i+1) }
