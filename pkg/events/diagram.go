package events

import (
	"fmt"
	"strings"
)

// Mermaid draws the table of transitions for the documentation.
func Mermaid() string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n")
	for _, t := range Transitions() {
		for _, from := range t.From {
			src, dst := string(from), string(t.To)
			if from == None {
				src = "[*]"
			}
			if dst == "" {
				dst = src
			}
			fmt.Fprintf(&b, "    %s --> %s: %s\n", src, dst, t.label())
		}
	}
	b.WriteString("```\n\n| from | event | to | recorded by | when |\n|---|---|---|---|---|\n")
	for _, t := range Transitions() {
		var from []string
		for _, s := range t.From {
			from = append(from, string(s))
		}
		to := string(t.To)
		if to == "" {
			to = "same"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", strings.Join(from, ", "), t.On, to, names(t.By), t.When)
	}
	return b.String()
}

func names(actors []Actor) string {
	var all []string
	for _, a := range actors {
		all = append(all, string(a))
	}
	return strings.Join(all, ", ")
}
