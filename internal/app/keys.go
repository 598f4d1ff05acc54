package app

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"
)

// UnknownKey says of a key that nobody reads which one may have been meant.
func UnknownKey(path, key string, known []string) error {
	if meant := nearest(key, known); meant != "" {
		return fmt.Errorf("%s: no such key; did you mean %s?", path, meant)
	}
	return fmt.Errorf("%s: no such key; there are %s", path, strings.Join(known, ", "))
}

// nearest finds the name that takes the fewest edits to make of the key; "" where more than half of it would have to change.
func nearest(key string, names []string) (found string) {
	least := max(2, len(key)/2) + 1
	for _, name := range names {
		if n := levenshtein.ComputeDistance(strings.ToLower(strings.ReplaceAll(key, "_", "-")), strings.ReplaceAll(name, "_", "-")); n < least {
			found, least = name, n
		}
	}
	return found
}

// unknownShopKeys finds the keys of a shops file that nobody reads, also in the shops' own entries. Of a settings file only
// shops: is looked at, the rest is flags.
func unknownShopKeys(body []byte, settings bool) []error {
	var file map[string]any
	if yaml.Unmarshal(body, &file) != nil {
		return nil // the typed reading says what is wrong
	}
	var errs []error
	if !settings {
		errs = unknownIn("", file, []string{"shops"})
	}
	shops, _ := file["shops"].(map[string]any)
	for id, entry := range shops {
		path := "shops." + id
		fields, _ := entry.(map[string]any)
		errs = append(errs, unknownIn(path+".", fields, yamlKeys[Shop]())...)
		earlier, _ := fields["earlier_terminals"].([]any)
		for i, e := range earlier {
			fields, _ := e.(map[string]any)
			errs = append(errs, unknownIn(fmt.Sprintf("%s.earlier_terminals[%d].", path, i), fields, yamlKeys[EarlierTerminal]())...)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

func unknownIn(path string, keys map[string]any, known []string) (errs []error) {
	for key := range keys {
		if !slices.Contains(known, key) {
			errs = append(errs, UnknownKey(path+key, key, known))
		}
	}
	return errs
}

// yamlKeys are the names that a struct's fields have in YAML.
func yamlKeys[T any]() (keys []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		keys = append(keys, f.Tag.Get("yaml"))
	}
	return keys
}
