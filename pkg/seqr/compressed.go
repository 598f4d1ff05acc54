package seqr

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// plainBody gives the answer's body and its length, or -1 where that is not known. Requests ask for bodies as
// they are; a proxy that compresses all the same is understood. At most limit compressed bytes are read, since
// they may stand for none.
func plainBody(r *http.Response, limit int64) (io.Reader, int64, error) {
	encoding := strings.Join(r.Header.Values("Content-Encoding"), ", ")
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return r.Body, r.ContentLength, nil
	case "gzip", "x-gzip":
		body, err := gzip.NewReader(&limitedReader{r: r.Body, left: limit})
		return body, -1, unfinished(err)
	case "deflate":
		body, err := inflate(&limitedReader{r: r.Body, left: limit})
		return body, -1, unfinished(err)
	}
	if len(encoding) > 40 { // a part of it would not be recognized as a secret
		encoding = "…"
	}
	return nil, 0, fmt.Errorf("the answer is encoded as %q, which this client does not read", encoding)
}

// inflate reads both things that are called deflate: the zlib format, as the standard says, and its inside.
func inflate(packed io.Reader) (io.Reader, error) {
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

// unfinished makes the end of a body that has not begun an error.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// limitedReader fails beyond its limit.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, errTooLarge
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
