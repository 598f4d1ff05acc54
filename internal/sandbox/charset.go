package sandbox

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"golang.org/x/net/html/charset"
)

// newDecoder reads a message in any charset that browsers know. The byte order mark decides which it is, else the
// Content-Type, else the XML declaration, as RFC 7303 has it.
func newDecoder(raw []byte, contentType string) (*xml.Decoder, error) {
	_, params, _ := mime.ParseMediaType(contentType) // one that cannot be read names no charset
	label := params["charset"]
	switch {
	case bytes.HasPrefix(raw, []byte("\xEF\xBB\xBF")):
		raw, label = raw[3:], "utf-8"
	case bytes.HasPrefix(raw, []byte("\xFE\xFF")), bytes.HasPrefix(raw, []byte("\x00<")):
		raw, label = bytes.TrimPrefix(raw, []byte("\xFE\xFF")), "utf-16be"
	case bytes.HasPrefix(raw, []byte("\xFF\xFE")), bytes.HasPrefix(raw, []byte("<\x00")):
		raw, label = bytes.TrimPrefix(raw, []byte("\xFF\xFE")), "utf-16le"
	case isUTF16(label):
		label = "utf-8" // the octets do not look like UTF-16: the label is wrong
	}
	if label == "" {
		d := xml.NewDecoder(bytes.NewReader(raw))
		d.CharsetReader = readDeclared
		return d, nil
	}
	raw, err := decode(raw, label)
	if err != nil {
		return nil, err
	}
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // it is decoded already
	return d, nil
}

// readDeclared reads the rest of a message in the charset that its XML declaration names.
func readDeclared(label string, r io.Reader) (io.Reader, error) {
	if isUTF16(label) {
		return r, nil // the declaration was read octet by octet: the label is wrong
	}
	return charset.NewReaderLabel(label, r)
}

func isUTF16(label string) bool { return strings.HasPrefix(strings.ToLower(label), "utf-16") }

func decode(raw []byte, label string) ([]byte, error) {
	encoding, name := charset.Lookup(label)
	switch {
	case encoding == nil:
		return nil, fmt.Errorf("charset %.40q is not supported", label)
	case name == "utf-8":
		return raw, nil // the XML decoder refuses invalid UTF-8; encoding would replace it
	case isUTF16(name) && len(raw)%2 != 0:
		return nil, errors.New("the message is not valid UTF-16: it has half a character")
	}
	return encoding.NewDecoder().Bytes(raw)
}
