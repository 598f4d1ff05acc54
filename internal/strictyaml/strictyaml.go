// Package strictyaml reads settings files. A key that the settings do not have is an error that names its path and the key that
// was probably meant. A value of another form is one that names its path and what is expected. No error shows a value: it may be a
// password.
package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"
)

// Decode reads the YAML into the value, whose fields need yaml tags. The error joins one error for each unknown key and each value
// that cannot be read, in the order of the file. What can be read is there all the same.
func Decode(body []byte, into any) error {
	var file yaml.Node
	if err := yaml.Unmarshal(body, &file); err != nil {
		return cmp.Or(misplaced(strings.Split(string(body), "\n")), withoutValues(err))
	}
	if len(file.Content) == 0 {
		return nil
	}
	return DecodeNode("", file.Content[0], into)
}

// DecodeNode is Decode of a part of a file, which stands there under the path.
func DecodeNode(path string, n *yaml.Node, into any) error {
	err := n.Decode(into)
	if wrong := mistakes(path, n, reflect.TypeOf(into)); len(wrong) > 0 {
		return errors.Join(wrong...)
	} else if err != nil { // such as a key that is there twice
		return withoutValues(err)
	}
	return nil
}

// aKey is a line with a key, and glued one that has no blank after the colon. An address is no key.
var (
	aKey  = regexp.MustCompile(`^[ -]*([\w-]+):`)
	glued = regexp.MustCompile(`^[ -]*[\w-]+:[^\s/]`)
)

// misplaced gives an error that names the line and the key where a file that is no YAML goes wrong. The parser's own error often names a
// line before or after it, and speaks of YAML's grammar.
func misplaced(lines []string) error {
	at, want := -1, "key: value with a blank after the colon, as many blanks before the key as before the other keys of its group, and every bracket and quotation mark closed"
	for i, line := range lines {
		switch {
		case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
			return fmt.Errorf("line %d is indented with a tab: expected blanks", i+1)
		case at < 0 && glued.MatchString(line):
			at, want = i, "a blank after the colon"
		}
	}
	for i := len(lines) - 1; i >= 0 && at < 0; i-- { // the line after the last one up to which the file can be read
		text := strings.TrimSpace(lines[i])
		if text != "" && text[0] != '#' && yaml.Unmarshal([]byte(strings.Join(lines[:i], "\n")), new(yaml.Node)) == nil {
			at = i
		}
	}
	if at < 0 {
		return nil
	}
	key := ""
	if found := aKey.FindStringSubmatch(lines[at]); found != nil {
		key = " (" + found[1] + ")"
	}
	return fmt.Errorf("line %d%s: expected %s", at+1, key, want)
}

// quoted is a value that a YAML error quotes.
var quoted = regexp.MustCompile(" `[^`]*`?")

func withoutValues(err error) error { return errors.New(quoted.ReplaceAllString(err.Error(), "")) }

// mistakes gives an error for each key below the node that the type has no field for, and for each value that it cannot have.
func mistakes(path string, n *yaml.Node, t reflect.Type) (errs []error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.AliasNode:
		return mistakes(path, n.Alias, t)
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for i, element := range n.Content {
			errs = append(errs, mistakes(fmt.Sprintf("%s[%d]", path, i), element, t.Elem())...)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 0; i < len(n.Content); i += 2 {
			errs = append(errs, mistakes(join(path, n.Content[i].Value), n.Content[i+1], t.Elem())...)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		fields, known := fieldsOf(t)
		for i := 0; i < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			of, ok := fields[key.Value]
			switch {
			case !ok:
				errs = append(errs, UnknownKey(join(path, key.Value), key.Value, known))
			case value.Tag == "!!null" && unquoted.MatchString(key.LineComment):
				errs = append(errs, fmt.Errorf("%s: expected quotes around a value that begins with #: without them it is a comment", join(path, key.Value)))
			default:
				errs = append(errs, mistakes(join(path, key.Value), value, of)...)
			}
		}
	case n.Decode(reflect.New(t).Interface()) != nil:
		return []error{fmt.Errorf("%s: expected %s, got %s", cmp.Or(path, "the file"), expected(t), given(n))}
	}
	return errs
}

// unquoted is a comment that was meant as a value, such as a colour.
var unquoted = regexp.MustCompile(`^#\S`)

// expected says in words what a value of the type looks like.
func expected(t reflect.Type) string {
	if d, ok := reflect.Zero(t).Interface().(interface{ ExpectedYAML() string }); ok {
		return d.ExpectedYAML()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list, such as [a, b]"
	case reflect.Map, reflect.Struct:
		return "keys with their values, each on a line below and indented"
	}
	return "a text"
}

// given says in words what the node is, without its value.
func given(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "keys with values"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return "a text"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// fieldsOf gives the types of the fields by their keys, and the keys in the order of the fields.
func fieldsOf(t reflect.Type) (fields map[string]reflect.Type, keys []string) {
	fields = map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "" && key != "-" {
			fields[key], keys = f.Type, append(keys, key)
		}
	}
	return fields, keys
}

// UnknownKey is the error for a key that is none of the known ones. It names the nearest known key, or all of them.
func UnknownKey(path, key string, known []string) error {
	if meant := nearest(key, known); meant != "" {
		return fmt.Errorf("%s: no such key; did you mean %s?", path, meant)
	}
	return fmt.Errorf("%s: no such key; there are %s", path, strings.Join(known, ", "))
}

// nearest finds the name that takes the fewest edits to make of the key; "" where more than half of it would have to change.
func nearest(key string, names []string) string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "-")) }
	edits := func(name string) int { return levenshtein.ComputeDistance(plain(key), plain(name)) }
	if len(names) == 0 {
		return ""
	}
	found := slices.MinFunc(names, func(a, b string) int { return cmp.Compare(edits(a), edits(b)) })
	if edits(found) > max(2, len(key)/2) {
		return ""
	}
	return found
}
