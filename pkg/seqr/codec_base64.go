package seqr

import (
	"encoding/base64"
	"errors"
)

const (
	base64Block   = 64 << 10 // characters decoded at a time
	bytesPerBlock = base64Block / 4 * 3
)

var errBase64 = errors.New("malformed base64")

// base64 reads binary data, whatever white space is in it. Beside the text and the data it needs the memory of
// one block.
func (s *scanner) base64() ([]byte, error) {
	text, err := s.text()
	if err != nil {
		return nil, err
	}
	text = trim(text)
	data := make([]byte, 0, base64.StdEncoding.DecodedLen(len(text)))
	block := make([]byte, 0, min(len(text), base64Block))
	for len(text) > 0 {
		n := min(len(text), base64Block-len(block))
		block = appendWithoutSpace(block, text[:n])
		text = text[n:]
		if err := s.spend(n); err != nil {
			return nil, err
		}
		if len(block) < base64Block && len(text) > 0 {
			continue
		}
		before := len(data)
		if data, err = base64.StdEncoding.AppendDecode(data, block); err != nil {
			return nil, errBase64
		}
		if len(text) > 0 && len(data)-before != bytesPerBlock {
			return nil, errBase64 // padding before the end
		}
		block = block[:0]
	}
	return data, nil
}

func appendWithoutSpace(b, text []byte) []byte {
	for _, c := range text {
		if !isSpace(c) {
			b = append(b, c)
		}
	}
	return b
}
