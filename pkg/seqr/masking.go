package seqr

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maskedFrom is the length from which a secret is looked for in what the provider says. A shorter one is
// no password to the provider, and would make holes in innocent text.
const maskedFrom = 4

// needles are the secrets of a call, in every spelling that an answer could echo.
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
		found = append(found, plain, escaped, strings.Trim(strconv.Quote(plain), `"`),
			strings.NewReplacer(`"`, "&quot;", "'", "&apos;").Replace(escaped),
			strings.NewReplacer(`"`, "&#34;", "'", "&#39;").Replace(escaped))
	}
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) }) // one may be part of another
	return slices.Compact(found)
}

// mask hides the call's secrets in a text from outside.
func (k call) mask(text string) string {
	for _, n := range k.needles() {
		text = strings.ReplaceAll(text, n, masked)
	}
	return text
}

// hide keeps an error as it is unless its text holds a secret; then only the text is kept.
func (k call) hide(err error) error {
	var fault *Fault
	if errors.As(err, &fault) {
		return &Fault{Code: k.mask(fault.Code), Text: k.mask(fault.Text)}
	}
	text := err.Error()
	if safe := k.mask(text); safe != text {
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
	x.Response = bytes.Clone(o.body)
	for _, n := range k.needles() {
		x.Response = bytes.ReplaceAll(x.Response, []byte(n), []byte(masked))
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
