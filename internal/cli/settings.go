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

	"github.com/seqrflow/seqrflow/internal/app"
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

// Validate finds keys that no command has, all at once, and says which may have been meant.
func (f fileResolver) Validate(root *kong.Application) error {
	known := map[string][]string{} // flags, by the path of their command; "" has all
	var visit func(n *kong.Node, path string)
	visit = func(n *kong.Node, path string) {
		for _, flag := range n.Flags {
			for p := path; ; p = p[:max(strings.LastIndexByte(p, '-'), 0)] {
				known[p] = append(known[p], strings.TrimPrefix(strings.TrimPrefix(path, p)+"-"+flag.Name, "-"))
				if p == "" {
					known[p] = append(known[p], flag.Name)
					break
				}
			}
		}
		for _, child := range n.Children {
			visit(child, strings.TrimPrefix(path+"-"+child.Name, "-"))
		}
	}
	visit(root.Node, "")
	var wrong []string
	for _, k := range leaves("", "", f.keys) {
		names := known[k.command]
		if !slices.Contains(known[""], strings.TrimPrefix(k.command+"-"+k.name, "-")) {
			if len(names) == 0 {
				names = known[""]
			}
			slices.Sort(names)
			wrong = append(wrong, app.UnknownKey(k.path, k.name, slices.Compact(names)).Error())
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return errors.New("settings file: " + strings.Join(wrong, "; "))
}

// leaf is one key of the settings file that has a value.
type leaf struct{ path, command, name string }

func leaves(path, command string, keys map[string]any) []leaf {
	var out []leaf
	for k, v := range keys {
		if path == "" && k == shopsKey {
			continue
		}
		if inner, ok := v.(map[string]any); ok {
			out = append(out, leaves(path+k+".", strings.TrimPrefix(command+"-"+k, "-"), inner)...)
			continue
		}
		out = append(out, leaf{path + k, command, k})
	}
	return out
}
