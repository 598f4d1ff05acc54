package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/seqrflow/seqrflow/internal/strictyaml"
)

// shopsKey holds the shops' credentials in the settings file; it is read apart from the flags.
const shopsKey = "shops"

// settingsFile reads flags from a YAML file: under a command's name for that command, or at the top for every command that has the
// flag and no other one that excludes it. The environment wins over it.
func settingsFile(r io.Reader) (kong.Resolver, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var keys map[string]any
	if err := strictyaml.Decode(body, &keys); err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	delete(keys, shopsKey)
	f := fileResolver{}
	f.add("", "", keys)
	return f, nil
}

// setting is one key of the settings file with its value, which may be more keys.
type setting struct {
	path    string // such as order.place.shop
	section string // the keys above it, such as order-place-; "" is every command
	name    string
	value   any
}

// fileResolver is the settings by their names after their sections.
type fileResolver map[string]setting

func (f fileResolver) add(path, section string, keys map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		f[section+k] = setting{path + k, section, k, keys[k]}
		if inner, ok := keys[k].(map[string]any); ok {
			f.add(path+k+".", section+k+"-", inner)
		}
	}
}

// Resolve gives the file's value of a flag, or nil.
func (f fileResolver) Resolve(_ *kong.Context, at *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "config" || inEnvironment(flag) {
		return nil, nil
	}
	section := ""
	for n := at.Node(); n != nil && n.Type != kong.ApplicationNode; n = n.Parent {
		section = n.Name + "-" + section
	}
	v := f[section+flag.Name].value
	if v == nil && len(flag.Xor) == 0 { // of flags that exclude each other, the one that another command needs is not chosen
		v = f[flag.Name].value
	}
	switch v.(type) {
	case map[string]any, []any:
		if !flag.IsSlice() && !flag.IsMap() { // the mapper would quote the value, which may hold a secret
			return nil, fmt.Errorf("settings file: %s: expected a single value", flag.Name)
		}
	case int, int64, uint64, float64: // as a text it is an error where a unit is missing, and not a number of nanoseconds
		return fmt.Sprint(v), nil
	}
	return v, nil
}

func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool { _, ok := os.LookupEnv(name); return ok })
}

// Validate finds keys that no command has, all at once, and says which may have been meant.
func (f fileResolver) Validate(root *kong.Application) error {
	var known []string                // every flag by its name, and by its name after the path of its command
	commands := map[string][]string{} // those below each command, by its path
	var visit func(n *kong.Node, path string)
	visit = func(n *kong.Node, path string) {
		for _, flag := range n.Flags {
			known = append(known, flag.Name, path+flag.Name)
		}
		commands[path] = nil
		for _, child := range n.Children {
			visit(child, path+child.Name+"-")
			commands[path] = append(commands[path], child.Name)
		}
	}
	visit(root.Node, "")
	commands[""] = append([]string{shopsKey}, commands[""]...)
	slices.Sort(known)
	known = slices.Compact(known)
	var wrong []string
	for _, k := range f {
		names, above := commands[k.section]
		_, command := commands[k.section+k.name+"-"]
		switch _, keys := k.value.(map[string]any); {
		case !above, command && (keys || k.value == nil), !keys && slices.Contains(known, k.section+k.name):
			continue // what is wrong above is said once
		case !keys:
			names = nil
			for _, name := range known {
				if name, ok := strings.CutPrefix(name, k.section); ok {
					names = append(names, name)
				}
			}
		}
		wrong = append(wrong, strictyaml.UnknownKey(k.path, k.name, names).Error())
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return errors.New("settings file: " + strings.Join(wrong, "; "))
}
