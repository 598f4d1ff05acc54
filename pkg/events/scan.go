package events

import (
	"encoding/json"
	"iter"
)

// members gives the members of a JSON object in their order: the key with its quotes, and the value.
// The text must be valid JSON; anything but an object has no members.
func members(body []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		i := skipSpace(body, 0)
		if i == len(body) || body[i] != '{' {
			return
		}
		for i = skipSpace(body, i+1); body[i] != '}'; i = nextItem(body, i) {
			end := valueEnd(body, i)
			key := body[i:end]
			i = skipSpace(body, skipSpace(body, end)+1) // over the colon
			end = valueEnd(body, i)
			if !yield(key, body[i:end]) {
				return
			}
			i = end
		}
	}
}

// elements gives the elements of a JSON list with their indexes. The text must be valid JSON; anything
// but a list has no elements.
func elements(body []byte) iter.Seq2[int, []byte] {
	return func(yield func(n int, value []byte) bool) {
		i := skipSpace(body, 0)
		if i == len(body) || body[i] != '[' {
			return
		}
		i = skipSpace(body, i+1)
		for n := 0; body[i] != ']'; n, i = n+1, nextItem(body, i) {
			end := valueEnd(body, i)
			if !yield(n, body[i:end]) {
				return
			}
			i = end
		}
	}
}

// keyText is the key without quotes and escapes.
func keyText(quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	for _, c := range text {
		if c == '\\' {
			var s string
			if json.Unmarshal(quoted, &s) == nil {
				return []byte(s)
			}
		}
	}
	return text
}

// nextItem steps from the end of an item over the comma; at the last one it stops at the bracket.
func nextItem(body []byte, i int) int {
	if i = skipSpace(body, i); body[i] == ',' {
		i = skipSpace(body, i+1)
	}
	return i
}

func skipSpace(body []byte, i int) int {
	for i < len(body) && (body[i] == ' ' || body[i] == '\t' || body[i] == '\n' || body[i] == '\r') {
		i++
	}
	return i
}

// valueEnd is where the value that begins at i ends.
func valueEnd(body []byte, i int) int {
	for depth := 0; i < len(body); {
		switch body[i] {
		case '"':
			i = stringEnd(body, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default:
			i = scalarEnd(body, i)
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

func stringEnd(body []byte, i int) int {
	for i++; body[i] != '"'; i++ {
		if body[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func scalarEnd(body []byte, i int) int {
	for ; i < len(body); i++ {
		switch body[i] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return i
		}
	}
	return i
}
