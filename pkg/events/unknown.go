package events

import (
	"reflect"
	"strings"
)

// UnknownFields are the members of a JSON object that this version does not know, as they were read:
// `"a":1,"b":[2]`. A newer version wrote them. Whatever is read with them is written with them again,
// so that an older worker does not drop what a newer one has recorded.
type UnknownFields string

// fieldNames are the names under which encoding/json reads a struct's fields.
type fieldNames map[string]bool

// fieldsOf gives the names of T, those of embedded structs included.
func fieldsOf[T any]() fieldNames {
	names := fieldNames{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names[name] = true
		}
	}
	return names
}

// has says whether encoding/json reads the key into a field; it takes a key in any case.
func (n fieldNames) has(key []byte) bool {
	if n[string(key)] {
		return true
	}
	for name := range n {
		if strings.EqualFold(name, string(key)) {
			return true
		}
	}
	return false
}

// unknownIn collects the unknown members of a valid JSON object. Known ones are shown to nested, which
// may be nil.
func unknownIn(body []byte, known fieldNames, nested func(key string, value []byte)) UnknownFields {
	var unknown []byte
	for quoted, value := range members(body) {
		switch key := keyText(quoted); {
		case !known.has(key):
			unknown = appendMember(unknown, quoted, value)
		case nested != nil && (value[0] == '{' || value[0] == '['):
			nested(string(key), value)
		}
	}
	return UnknownFields(unknown)
}

// rewriteObject writes a valid JSON object again, with the unknown members at its end and, for the
// keys of nested, the value that nested gives.
func rewriteObject(body []byte, unknown UnknownFields, nested map[string]func([]byte) []byte) []byte {
	out := make([]byte, 1, len(body)+len(unknown)+2)
	out[0] = '{'
	for quoted, value := range members(body) {
		if rewrite := nested[string(keyText(quoted))]; rewrite != nil {
			value = rewrite(value)
		}
		out = appendMember(out, quoted, value)
	}
	if unknown != "" {
		out = append(appendComma(out), unknown...)
	}
	return append(out, '}')
}

// rewriteList writes a valid JSON list of objects again, each with its unknown members; null stays null.
func rewriteList(body []byte, unknown func(i int) UnknownFields) []byte {
	if body[0] != '[' {
		return body
	}
	out := []byte{'['}
	for i, value := range elements(body) {
		out = append(appendComma(out), rewriteObject(value, unknown(i), nil)...)
	}
	return append(out, ']')
}

func appendMember(out, quotedKey, value []byte) []byte {
	out = append(appendComma(out), quotedKey...)
	return append(append(out, ':'), value...)
}

func appendComma(out []byte) []byte {
	if n := len(out); n == 0 || n == 1 && (out[0] == '{' || out[0] == '[') {
		return out
	}
	return append(out, ',')
}
