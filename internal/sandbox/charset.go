package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// toUTF8 gives a message in UTF-8 without a byte order mark. The mark wins over the Content-Type's charset, and that
// over the XML declaration, as RFC 7303 has it.
func toUTF8(raw []byte, contentType string) ([]byte, error) {
	switch {
	case bytes.HasPrefix(raw, []byte{0xEF, 0xBB, 0xBF}):
		return checkUTF8(raw[3:])
	case bytes.HasPrefix(raw, []byte{0xFE, 0xFF}):
		return fromUTF16(raw[2:], true)
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE}):
		return fromUTF16(raw[2:], false)
	case bytes.HasPrefix(raw, []byte{0, '<'}):
		return fromUTF16(raw, true)
	case bytes.HasPrefix(raw, []byte{'<', 0}):
		return fromUTF16(raw, false)
	}
	charset := "utf-8"
	if declared := declaredCharset(raw); declared != "" {
		charset = declared
	}
	if _, params, err := mime.ParseMediaType(contentType); err == nil && params["charset"] != "" {
		charset = params["charset"]
	}
	switch strings.ToLower(charset) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return checkUTF8(raw)
	case "iso-8859-1", "latin1", "latin-1", "iso_8859-1":
		return fromLatin1(raw), nil
	case "utf-16", "utf-16le", "utf-16be":
		// No mark and not two bytes a character: the label is wrong, the octets are not.
		return checkUTF8(raw)
	}
	return nil, fmt.Errorf("charset %.40q is not supported: use UTF-8, UTF-16 or ISO-8859-1", charset)
}

// declaredCharset is the encoding that the XML declaration names.
func declaredCharset(raw []byte) string {
	if !bytes.HasPrefix(raw, []byte("<?xml")) {
		return ""
	}
	end := bytes.Index(raw, []byte("?>"))
	if end < 0 {
		return ""
	}
	_, rest, found := bytes.Cut(raw[:end], []byte("encoding"))
	rest = bytes.TrimLeft(rest, " \t\r\n=")
	if !found || len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	name, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(name)
}

func checkUTF8(raw []byte) ([]byte, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("the message is not valid UTF-8")
	}
	return raw, nil
}

func fromLatin1(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+len(raw)/8)
	for _, b := range raw {
		out = utf8.AppendRune(out, rune(b))
	}
	return out
}

func fromUTF16(raw []byte, bigEndian bool) ([]byte, error) {
	if len(raw)%2 != 0 {
		return nil, errors.New("the message is not valid UTF-16: it has half a character")
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		hi, lo := raw[2*i], raw[2*i+1]
		if !bigEndian {
			hi, lo = lo, hi
		}
		units[i] = uint16(hi)<<8 | uint16(lo)
	}
	out := make([]byte, 0, len(raw))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}
