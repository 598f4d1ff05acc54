package commerce

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// Known gives what the payload types read of a body, and nothing else: a body that is kept has no personal data of a buyer then.
// Fields that are tagged `known:"-"` are left out too, and of a [Partly] it keeps what that says. It gives nil for a body that is not
// JSON.
func Known(body []byte, payloads ...any) json.RawMessage {
	types := make([]reflect.Type, len(payloads))
	for i, p := range payloads {
		types[i] = reflect.TypeOf(p)
	}
	if !json.Valid(body) {
		return nil
	}
	known, ok := known(bytes.TrimSpace(body), types)
	if !ok {
		return nil
	}
	return known
}

// known gives the value as far as one of the types reads it; ok is false where none does.
func known(value json.RawMessage, types []reflect.Type) (kept json.RawMessage, ok bool) {
	switch value[0] {
	case '{':
		return knownObject(value, types)
	case '[':
		elements := elementsOf(types)
		var list []json.RawMessage
		if len(elements) == 0 || json.Unmarshal(value, &list) != nil {
			return nil, false
		}
		kept := []json.RawMessage{}
		for _, v := range list {
			if v, ok := known(v, elements); ok {
				kept = append(kept, v)
			}
		}
		body, err := json.Marshal(kept)
		return body, err == nil
	}
	for _, t := range types {
		if p, ok := reflect.Zero(t).Interface().(Partly); ok {
			return p.Kept(value)
		}
		if isLeaf(t) {
			return value, true
		}
	}
	return nil, false
}

// Partly is the type of a text that may have personal data, and of which the translation reads a part that has none.
type Partly interface {
	// Kept gives what is kept of a value that is neither an object nor a list; ok is false for nothing. It does not use the receiver.
	Kept(value json.RawMessage) (kept json.RawMessage, ok bool)
}

func knownObject(value json.RawMessage, types []reflect.Type) (json.RawMessage, bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal(value, &object) != nil {
		return nil, false
	}
	kept := map[string]json.RawMessage{}
	for key, v := range object {
		if v, ok := known(bytes.TrimSpace(v), fieldTypes(types, key)); ok {
			kept[key] = v
		}
	}
	body, err := json.Marshal(kept) // an object where a text is read, too: that it is one is known, not what is in it
	return body, err == nil && len(types) > 0
}

func isLeaf(t reflect.Type) bool {
	if t == reflect.TypeFor[json.RawMessage]() || t.Kind() == reflect.Pointer && isLeaf(t.Elem()) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer:
		return false
	}
	return true
}

func elementsOf(types []reflect.Type) (elements []reflect.Type) {
	for _, t := range types {
		if t.Kind() == reflect.Slice && t != reflect.TypeFor[json.RawMessage]() {
			elements = append(elements, t.Elem())
		}
	}
	return elements
}

// fieldTypes gives the types of the fields that the types read under the key.
func fieldTypes(types []reflect.Type, key string) (fields []reflect.Type) {
	for _, t := range types {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			continue
		}
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == key && f.Tag.Get("known") != "-" {
				fields = append(fields, f.Type)
			}
		}
	}
	return fields
}
