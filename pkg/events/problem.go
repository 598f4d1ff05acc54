package events

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with an event from outside: where, and what was expected.
type Problem struct{ Path, Expected string }

func (p Problem) Error() string { return p.Path + ": " + p.Expected }

// Problems are all things wrong with one event, so that a shop mends it once.
type Problems []Problem

const maxProblemsSaid = 10

func (ps Problems) Error() string {
	said := make([]string, 0, maxProblemsSaid+1)
	for i, p := range ps {
		if i == maxProblemsSaid {
			said = append(said, fmt.Sprintf("and %d more", len(ps)-i))
			break
		}
		said = append(said, p.Error())
	}
	return strings.Join(said, "; ")
}

func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
