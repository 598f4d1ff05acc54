package app

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/seqrflow/seqrflow/internal/rig"
)

// described gives every metric that the registry has, with or without a value, as name{label,label} and its help.
func described(reg *prometheus.Registry) map[string]string {
	ch := make(chan *prometheus.Desc)
	go func() { reg.Describe(ch); close(ch) }()
	form := regexp.MustCompile(`fqName: "([^"]*)", help: "(.*?)"(?:, unit: "[^"]*")?, constLabels: {}, variableLabels: {([^}]*)}`)
	out := map[string]string{}
	for d := range ch {
		if m := form.FindStringSubmatch(d.String()); m != nil && strings.HasPrefix(m[1], "seqrflow_") {
			name := m[1]
			if m[3] != "" {
				name += "{" + m[3] + "}"
			}
			out[name] = m[2]
		}
	}
	return out
}

// The table in docs/operations.md has exactly the metrics that there are, each help is a sentence, and a counter whose labels
// are known beforehand is there from the start.
func TestEveryMetricIsInTheOperatorsTable(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), Options{Settings: settings(), Targets: []string{All}, NATSListen: "127.0.0.1:0", SandboxListen: "127.0.0.1:0", Data: t.TempDir(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	doc, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for line := range strings.Lines(string(doc)) {
		cell, _, row := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !row || !strings.HasPrefix(line, "| `seqrflow_") {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(cell, -1) {
			told = append(told, m[1])
		}
	}
	have := described(s.Registry)
	for name, help := range have {
		if !slices.Contains(told, name) {
			t.Errorf("%s is not in the table of docs/operations.md", name)
		}
		if !strings.HasSuffix(help, ".") || len(help) < 30 {
			t.Errorf("%s: the help is no sentence: %q", name, help)
		}
		if strings.Contains(name, "seconds") && !regexp.MustCompile(`(?i)second|[0-9] s `).MatchString(help) {
			t.Errorf("%s: the help has no unit: %q", name, help)
		}
	}
	for _, name := range told {
		if _, ok := have[name]; !ok {
			t.Errorf("the table tells of %s, which there is not", name)
		}
	}
	counters(t, s.Registry, have)
}

// counters waits until every counter is there, but for those whose labels are a shop's or a terminal's name.
func counters(t *testing.T, reg *prometheus.Registry, have map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	missing := rig.Until(ctx, func(context.Context) string {
		families, err := reg.Gather()
		if err != nil {
			return err.Error()
		}
		there := map[string]bool{}
		for _, f := range families {
			there[f.GetName()] = true
		}
		absent := ""
		for name := range have {
			bare, labels, _ := strings.Cut(name, "{")
			if strings.HasSuffix(bare, "_total") && !strings.Contains(labels, "shop") && !strings.Contains(labels, "terminal") && !there[bare] {
				absent += " " + bare
			}
		}
		return absent
	})
	if missing != "" {
		t.Errorf("not there before the first count:%s", missing)
	}
}
