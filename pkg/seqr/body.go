package seqr

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/net/html/charset"
)

const (
	// believedLength is how many bytes of memory an answer gets on the mere word of its header.
	believedLength = 4 << 20
	smallAnswer    = 4 << 10 // bytes
)

var errTooLarge = errors.New("the answer is larger than allowed")

// readBody reads the body of an answer into the memory of out. Both the bytes that arrive and the bytes that they
// stand for, where they are compressed, may be at most limit. On an error it returns what was read.
func readBody(out *buffer, r *http.Response, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	b := bytes.NewBuffer(out.b[:0])
	plain, length, err := decompressed(r, limit)
	if err == nil {
		b.Grow(int(min(max(length, smallAnswer), believedLength)) + bytes.MinRead)
		_, err = b.ReadFrom(http.MaxBytesReader(nil, io.NopCloser(plain), limit))
	}
	out.b = b.Bytes()
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = errTooLarge
	}
	return out.b, err
}

// decompressed gives the body as it was before a proxy compressed it, and its length in bytes, or -1 where that is not
// known. Requests ask for answers that are not compressed.
func decompressed(r *http.Response, limit int64) (plain io.Reader, length int64, err error) {
	packed := http.MaxBytesReader(nil, r.Body, limit)
	name := strings.Join(r.Header.Values("Content-Encoding"), ", ")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "identity":
		return r.Body, r.ContentLength, nil
	case "gzip", "x-gzip":
		plain, err = gzip.NewReader(packed)
	case "deflate":
		plain, err = inflated(packed)
	default:
		if len(name) > 40 { // a part of it would not be recognized as a secret
			name = "…"
		}
		err = fmt.Errorf("the answer is encoded as %q, which this client does not read", name)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return plain, -1, err
}

// inflated reads both formats that are called deflate: zlib, as the standard says, and what is inside it.
func inflated(packed io.Reader) (io.Reader, error) {
	b := bufio.NewReader(packed)
	head, err := b.Peek(2)
	if err != nil {
		return nil, err
	}
	const method, deflated = 0x0F, 8
	if head[0]&method == deflated && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// toUTF8 returns an answer in UTF-8, and the name of the charset that it came in, or "" where that is UTF-8. The
// charset of the HTTP header goes before that of the XML declaration.
func toUTF8(body []byte, contentType string) (text []byte, name string, err error) {
	label := charsetOf(body, contentType)
	if label == "" || strings.EqualFold(label, "utf-8") {
		return body, "", nil
	}
	e, name := charset.Lookup(label)
	switch {
	case e == nil:
		return body, "", errors.New("the answer is in a charset that this client does not read")
	case name == "utf-8":
		return body, "", nil // also where it is not valid, which the decoder would hide
	}
	if text, err = e.NewDecoder().Bytes(body); err != nil {
		return body, "", err
	}
	return text, name, nil
}

// declaredEncoding finds the encoding in an XML declaration.
var declaredEncoding = regexp.MustCompile(`^<\?xml\s[^>]*?\sencoding\s*=\s*("[^"]*"|'[^']*')`)

func charsetOf(body []byte, contentType string) string {
	if _, params, err := mime.ParseMediaType(contentType); err == nil && params["charset"] != "" {
		return params["charset"]
	}
	if found := declaredEncoding.FindSubmatch(body); found != nil {
		return strings.Trim(string(found[1]), `"'`)
	}
	return ""
}
