package strictyaml_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/seqrflow/seqrflow/internal/strictyaml"
)

type entry struct {
	Name   string   `yaml:"name"`
	Secret string   `yaml:"secret_file"`
	Lines  []entry  `yaml:"lines"`
	Sub    *entry   `yaml:"sub"`
	Port   int      `yaml:"port"`
	Names  []string `yaml:"names,omitempty"`
	Ready  bool     `yaml:"ready"`
	Key    files    `yaml:"key_file"`
}

type files []string

func (f *files) UnmarshalYAML(n *yaml.Node) error { return n.Decode((*[]string)(f)) }

func (files) ExpectedYAML() string { return "the name of a file" }

type file struct {
	Entries map[string]entry `yaml:"entries"`
}

func TestKeysAreReadStrictly(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"all known", "entries: {a: {name: x, lines: [{name: y}], sub: {port: 1}, names: [b]}}", nil},
		{"nothing", "", nil},
		{"only a comment", "# later", nil},
		{"at the top", "entrys: {}", []string{"entrys: no such key; did you mean entries?"}},
		{"in a map", "entries: {a: {nam: x}}", []string{"entries.a.nam: no such key; did you mean name?"}},
		{"dash for underscore", "entries: {a: {secret-file: x}}", []string{"entries.a.secret-file: no such key; did you mean secret_file?"}},
		{"in a list", "entries: {a: {lines: [{name: x}, {zzzzzzzz: 1}]}}", []string{"entries.a.lines[1].zzzzzzzz: no such key; there are name, secret_file, lines, sub, port, names"}},
		{"through a pointer", "entries: {a: {sub: {prot: 1}}}", []string{"entries.a.sub.prot: no such key; did you mean port?"}},
		{"through an alias", "entries: {a: &a {nam: x}, b: *a}", []string{"entries.a.nam", "entries.b.nam"}},
		{"two at once", "entries: {a: {nam: x, prot: 1}}", []string{"nam", "prot"}},
		{"a text for a number", "entries: {a: {port: hunter2}}", []string{"entries.a.port: expected a whole number, got a text"}},
		{"a text for a list", "entries: {a: {names: hunter2}}", []string{"entries.a.names: expected a list, such as [a, b], got a text"}},
		{"keys for a list", "entries: {a: {names: {x: hunter2}}}", []string{"entries.a.names: expected a list, such as [a, b], got keys with values"}},
		{"a list for a text", "entries: {a: {lines: [{name: [hunter2]}]}}", []string{"entries.a.lines[0].name: expected a text, got a list"}},
		{"a text for a choice", "entries: {a: {ready: hunter2}}", []string{"entries.a.ready: expected true or false, got a text"}},
		{"a number for keys", "entries: {a: {sub: 7}}", []string{"entries.a.sub: expected keys with their values, each on a line below and indented, got a number"}},
		{"a type that says what it expects", "entries: {a: {key_file: {x: hunter2}}}", []string{"entries.a.key_file: expected the name of a file, got keys with values"}},
		{"a wrong form and an unknown key", "entries: {a: {ready: 7, prot: 1}}", []string{"entries.a.ready: expected true or false, got a number", "entries.a.prot: no such key"}},
		{"a text for the whole file", "hunter2", []string{"the file: expected keys"}},
		{"a value that begins with #", "entries:\n  a:\n    name: #hunter2\n", []string{"entries.a.name: expected quotes around a value that begins with #"}},
		{"nothing, with a comment", "entries:\n  a:\n    name: # later\n", nil},
		{"a key that is there twice", "entries: {a: {name: x, name: y}}", []string{`"name" already defined`}},
		{"a tab", "entries:\n\ta:\n", []string{"line 2 is indented with a tab"}},
		{"no YAML", "entries: [", []string{"line 1 (entries): expected key: value"}},
	} {
		var f file
		err := strictyaml.Decode([]byte(c.body), &f)
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", c.name, want, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: shows a value: %v", c.name, err)
		}
	}
}

// The parser names a line where it gave up, often not the one with the mistake, and in words of its grammar.
func TestAFileThatIsNoYAMLNamesTheKeyWhereItGoesWrong(t *testing.T) {
	const good = "entries:\n  a:\n    # one\n    name: hunter2\n    port: 7\n    names: [x,\n      y]\n  b:\n    name: 'n'\n"
	if err := strictyaml.Decode([]byte(good), &file{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, from, to, want string }{
		{"no blank after a colon", "    name: hunter2", "    name:hunter2", "line 4 (name): expected a blank after the colon"},
		{"no blank after a colon, in quotes", "    name: 'n'\n", "    name:'n'\n    port: 7\n", "line 9 (name): expected a blank after the colon"},
		{"a blank too much before a key", "    port: 7", "     port: 7", "line 5 (port): expected"},
		{"a blank too much before the first key", "    name: hunter2", "     name: hunter2", "line 5 (port): expected key: value"},
		{"a blank too few", "  b:", " b:", "line 8 (b): expected"},
		{"a quotation mark that is not closed", "name: 'n'", "name: 'n", "line 9 (name): expected"},
		{"a list that is not closed", "y]", "y", "line 6 (names): expected"},
		{"a key without a colon", "    port: 7", "    port 7", "line 5: expected"},
	} {
		body := strings.Replace(good, c.from, c.to, 1)
		err := strictyaml.Decode([]byte(body), &file{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want %q", c.what, err, c.want)
		}
	}
}

func TestWhatCanBeReadIsThereBesideAMistake(t *testing.T) {
	var f file
	if err := strictyaml.Decode([]byte("entries: {a: {ready: x, name: n, port: 7}}"), &f); err == nil || f.Entries["a"].Name != "n" || f.Entries["a"].Port != 7 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestWhatIsReadIsThere(t *testing.T) {
	var f file
	if err := strictyaml.Decode([]byte("entries: {a: {sub: {port: 7}}}"), &f); err != nil || f.Entries["a"].Sub.Port != 7 {
		t.Errorf("%+v, %v", f, err)
	}
}
