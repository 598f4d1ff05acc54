package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	kongyaml "github.com/alecthomas/kong-yaml"
	"go.yaml.in/yaml/v3"
)

// shopsKey holds the shops' credentials in the settings file; it is read apart from the flags.
const shopsKey = "shops"

// settingsFile reads flags from a YAML file: under a command's name for that command, or at the top
// for every command that has the flag. The environment wins over it.
func settingsFile(r io.Reader) (kong.Resolver, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	inner, err := kongyaml.Loader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	var keys map[string]any
	if err := yaml.Unmarshal(body, &keys); err != nil {
		return nil, err
	}
	return fileResolver{inner, keys}, nil
}

type fileResolver struct {
	inner kong.Resolver
	keys  map[string]any
}

// Resolve gives the file's value of a flag, or nil.
func (f fileResolver) Resolve(c *kong.Context, at *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == shopsKey || flag.Name == "config" || inEnvironment(flag) {
		return nil, nil
	}
	v, err := f.inner.Resolve(c, at, flag)
	if v == nil && err == nil {
		v, err = f.inner.Resolve(c, c.Path[0], flag)
	}
	switch v.(type) {
	case map[string]any, []any:
		if !flag.IsSlice() && !flag.IsMap() { // the mapper would quote the value, which may hold a secret
			return nil, fmt.Errorf("settings file: %s: expected a single value", flag.Name)
		}
	}
	return v, err
}

func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool { _, ok := os.LookupEnv(name); return ok })
}

// Validate finds keys that no command has, all at once.
func (f fileResolver) Validate(app *kong.Application) error {
	known := map[string]bool{}
	var visit func(n *kong.Node, path string)
	visit = func(n *kong.Node, path string) {
		for _, flag := range n.Flags {
			known[flag.Name], known[path+flag.Name] = true, true
		}
		for _, child := range n.Children {
			visit(child, path+child.Name+"-")
		}
	}
	visit(app.Node, "")
	var wrong []string
	for _, key := range leaves("", f.keys) {
		if !known[key] {
			wrong = append(wrong, key)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return errors.New("settings file: no command has a flag of the name " + strings.Join(wrong, ", "))
}

func leaves(prefix string, keys map[string]any) []string {
	var out []string
	for k, v := range keys {
		if prefix == "" && k == shopsKey {
			continue
		}
		if inner, ok := v.(map[string]any); ok {
			out = append(out, leaves(prefix+k+"-", inner)...)
			continue
		}
		out = append(out, fmt.Sprint(prefix, k))
	}
	return out
}
