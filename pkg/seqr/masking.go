package seqr

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"html"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/net/html/charset"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

// maskedFrom is how many bytes a secret must have to be looked for in an answer. The provider takes none that is shorter,
// and masking one would damage other texts.
const maskedFrom = 4

// masker hides the secrets of one call in texts from outside.
type masker struct {
	// spellings are the secrets as an answer could repeat them, escaped and encoded in every way. The longest is the
	// first: one may be part of another.
	spellings []string
}

// masker returns the masker of the call, for texts that were decoded from the charset, or "" for UTF-8: an answer may
// name a charset that it is not in.
func (k call) masker(charsetName string) masker {
	all := k.secrets
	if k.as != nil {
		all = append([]Secret{k.as.Password}, all...)
	}
	decoder, _ := charset.Lookup(charsetName)
	var found []string
	for _, s := range all {
		plain := s.Reveal()
		if len(plain) < maskedFrom {
			continue
		}
		for _, encoded := range encodings(plain) {
			quoted := strconv.Quote(encoded) // as net/http shows an answer that is no HTTP
			found = append(found, encoded, quoted[1:len(quoted)-1])
			if decoder == nil {
				continue
			}
			if decoded, err := decoder.NewDecoder().String(encoded); err == nil {
				found = append(found, decoded)
			}
		}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return masker{slices.Compact(found)}
}

// encodings are the octets that a text is sent as: with its special characters escaped in one way or another, in each
// of the usual charsets.
func encodings(plain string) (out []string) {
	escaped := string(soap.AppendEscaped(nil, plain))
	for _, spelling := range []string{
		plain, escaped,
		strings.NewReplacer(`"`, "&quot;", "'", "&apos;").Replace(escaped),
		strings.NewReplacer(`"`, "&#34;", "'", "&#39;").Replace(escaped),
	} {
		out = append(out, spelling, latin1Octets(spelling),
			utf16Octets(spelling, binary.LittleEndian), utf16Octets(spelling, binary.BigEndian))
	}
	return out
}

// latin1Octets leaves a text as it is that ISO-8859-1 can't write.
func latin1Octets(text string) string {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xFF {
			return text
		}
		out = append(out, byte(r))
	}
	return string(out)
}

func utf16Octets(text string, order binary.AppendByteOrder) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// mask hides the secrets in a text, also where character references spell them. In one that was cut short it hides the
// beginning of a secret at the end as well.
func (m masker) mask(text string, cut bool) string {
	for _, s := range m.spellings {
		text = strings.ReplaceAll(text, s, masked)
	}
	plain := text
	if last := strings.LastIndexByte(text, '&'); cut && last >= 0 && !strings.Contains(text[last:], ";") {
		plain = text[:last] // half a reference
	}
	plain = html.UnescapeString(plain)
	safe := plain
	for _, s := range m.spellings {
		safe = strings.ReplaceAll(safe, s, masked)
	}
	if safe != plain || cut && m.begun(safe) > m.begun(text) {
		text = safe
	}
	if n := m.begun(text); cut && n > 0 {
		text = text[:len(text)-n] + masked
	}
	return text
}

// begun is how many bytes at the end of a text begin a spelling.
func (m masker) begun(text string) int {
	longest := 0
	for _, s := range m.spellings {
		for i := min(len(s)-1, len(text)); i > longest; i-- {
			if strings.HasSuffix(text, s[:i]) {
				longest = i
			}
		}
	}
	return longest
}

// hide keeps an error as it is unless its text holds a secret; then only the text is kept.
func (m masker) hide(err error) error {
	var fault *Fault
	if errors.As(err, &fault) {
		return &Fault{Code: m.mask(fault.Code, false), Text: m.mask(fault.Text, false)}
	}
	text := err.Error()
	if safe := m.mask(text, false); safe != text {
		return errors.New(safe)
	}
	return err
}

// record gives the exchange to the recorder. It encodes the request again with its secrets masked, so that the text with
// the secrets never leaves the call.
func (c *Client) record(ctx context.Context, k call, started time.Time, o outcome, err error) {
	if c.config.Recorder == nil {
		return
	}
	x := Exchange{
		Operation:  k.operation,
		About:      aboutOf(ctx),
		At:         started,
		Duration:   time.Since(started),
		HTTPStatus: o.status,
		Sent:       o.sent,
	}
	if k.status != nil && err == nil {
		x.Status = *k.status
	}
	x.Request = k.encode(&c.config, nil, true)
	if len(o.body) > 0 {
		x.Response = []byte(k.masker(o.charset).mask(string(o.body), o.cut))
	}
	if o.sent == Answered {
		code := ResultCode(o.answer.ResultCode)
		x.Code = &code
	}
	if err != nil {
		x.Err = err.Error()
	}
	c.config.Recorder.Record(x)
}
