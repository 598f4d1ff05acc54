package seqr

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"strings"
	"unicode/utf8"
)

// toUTF8 turns an answer into UTF-8. The HTTP header's charset goes before the XML declaration's. A large answer
// is given up when ctx is over.
func toUTF8(ctx context.Context, body []byte, contentType string) ([]byte, error) {
	switch charset := charsetOf(body, contentType); charset {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return body, nil
	case "iso-8859-1", "iso8859-1", "latin1":
		return latin1ToUTF8(ctx, body)
	default:
		return body, errors.New("the answer is in a charset that this client does not read")
	}
}

func latin1ToUTF8(ctx context.Context, body []byte) ([]byte, error) {
	m := newMeter(ctx, len(body))
	out := make([]byte, 0, len(body)+len(body)/8)
	for rest := body; len(rest) > 0; {
		n := min(len(rest), lookEvery)
		for _, c := range rest[:n] {
			out = utf8.AppendRune(out, rune(c))
		}
		if err := m.spend(n); err != nil {
			return body, err
		}
		rest = rest[n:]
	}
	return out, nil
}

func charsetOf(body []byte, contentType string) string {
	if _, params, err := mime.ParseMediaType(contentType); err == nil && params["charset"] != "" {
		return strings.ToLower(params["charset"])
	}
	if !isDeclaration(body) {
		return ""
	}
	declaration, _, _ := bytes.Cut(body, []byte("?>"))
	_, after, found := bytes.Cut(declaration, []byte("encoding"))
	after = bytes.TrimLeft(after, "= \t\r\n")
	if !found || len(after) < 2 || after[0] != '"' && after[0] != '\'' {
		return ""
	}
	name, _, _ := bytes.Cut(after[1:], after[:1])
	return strings.ToLower(string(name))
}
