package seqr

import (
	"bytes"
	"errors"
	"mime"
	"strings"
	"unicode/utf8"
)

// toUTF8 turns an answer into UTF-8. The HTTP header's charset goes before the XML declaration's.
func toUTF8(body []byte, contentType string) ([]byte, error) {
	switch charset := charsetOf(body, contentType); charset {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return body, nil
	case "iso-8859-1", "iso8859-1", "latin1":
		out := make([]byte, 0, len(body)+len(body)/8)
		for _, c := range body {
			out = utf8.AppendRune(out, rune(c))
		}
		return out, nil
	default:
		return body, errors.New("the answer is in a charset that this client does not read")
	}
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
