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
)

// maskedFrom is the length from which a secret is looked for in what the provider says. A shorter one is
// no password to the provider, and would make holes in innocent text.
const maskedFrom = 4

// needles are the secrets of a call, in every spelling and encoding that an answer could echo, the longest
// first: one may be part of another.
func (k call) needles() []string {
	all := k.secrets
	if k.as != nil {
		all = append([]Secret{k.as.Password}, all...)
	}
	var found []string
	for _, s := range all {
		plain := s.Reveal()
		if len(plain) < maskedFrom {
			continue
		}
		escaped := string(appendEscaped(nil, plain))
		for _, spelling := range []string{
			plain, escaped,
			strings.NewReplacer(`"`, "&quot;", "'", "&apos;").Replace(escaped),
			strings.NewReplacer(`"`, "&#34;", "'", "&#39;").Replace(escaped),
		} {
			for _, encoded := range []string{
				spelling, latin1Octets(spelling), utf16Octets(spelling, binary.LittleEndian), utf16Octets(spelling, binary.BigEndian),
			} {
				quoted := strconv.Quote(encoded) // as net/http shows an answer that is no HTTP
				found = append(found, encoded, quoted[1:len(quoted)-1])
			}
		}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(found)
}

// latin1Octets gives a text that ISO-8859-1 does not have as it is.
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

// mask hides the call's secrets in a text from outside, also where character references spell them. In one
// that was cut short it hides the beginning of a secret at the end as well.
func (k call) mask(text string, cut bool) string {
	needles := k.needles()
	for _, n := range needles {
		text = strings.ReplaceAll(text, n, masked)
	}
	plain := text
	if last := strings.LastIndexByte(text, '&'); cut && last >= 0 && !strings.Contains(text[last:], ";") {
		plain = text[:last] // half a reference
	}
	plain = html.UnescapeString(plain)
	safe := plain
	for _, n := range needles {
		safe = strings.ReplaceAll(safe, n, masked)
	}
	if safe != plain || cut && begun(safe, needles) > begun(text, needles) {
		text = safe
	}
	if n := begun(text, needles); cut && n > 0 {
		text = text[:len(text)-n] + masked
	}
	return text
}

// begun is how many bytes at the end of a text begin a needle.
func begun(text string, needles []string) int {
	longest := 0
	for _, n := range needles {
		for i := min(len(n)-1, len(text)); i > longest; i-- {
			if strings.HasSuffix(text, n[:i]) {
				longest = i
			}
		}
	}
	return longest
}

// hide keeps an error as it is unless its text holds a secret; then only the text is kept.
func (k call) hide(err error) error {
	var fault *Fault
	if errors.As(err, &fault) {
		return &Fault{Code: k.mask(fault.Code, false), Text: k.mask(fault.Text, false)}
	}
	text := err.Error()
	if safe := k.mask(text, false); safe != text {
		return errors.New(safe)
	}
	return err
}

// record hands the exchange to the recorder. The request is encoded anew with its secrets masked, so that
// the text with the secrets never leaves the call.
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
	var request buffer
	k.encode(c.config, &request, true)
	x.Request = request.b
	if len(o.body) > 0 {
		x.Response = []byte(k.mask(string(o.body), o.cut))
	}
	if o.sent == Answered {
		code := o.answer.code
		x.Code = &code
	}
	if err != nil {
		x.Err = err.Error()
	}
	c.config.Recorder.Record(x)
}
