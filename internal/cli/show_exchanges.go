package cli

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/exchanges"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// showExchanges prints what went over the wire for the invoice.
func (c *console) showExchanges(b *bus.Bus, k events.Key) error {
	all, err := exchanges.Of(c.ctx, b, k)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		c.say("\nno exchange of %s is kept", k)
	}
	for _, e := range all {
		verdict := e.Outcome
		if e.Code != nil {
			verdict = fmt.Sprintf("answered %d", *e.Code)
		}
		c.say("\n%s  %s  %s, HTTP %d, %d ms", c.lines.Date(e.At), e.Operation, verdict, e.HTTPStatus, e.Millis)
		if e.Error != "" {
			c.say("  %s", lines(e.Error))
		}
		c.say("%s", indented("> ", e.Request))
		if e.Response != "" {
			c.say("%s", indented("< ", e.Response))
		}
	}
	return nil
}

// indented lays XML out for reading; what is not XML is shown as it is.
func indented(prefix, doc string) string {
	var out bytes.Buffer
	enc := xml.NewEncoder(&out)
	enc.Indent("", "  ")
	dec := xml.NewDecoder(strings.NewReader(doc))
	for {
		t, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || enc.EncodeToken(plain(t)) != nil {
			return prefix + lines(doc)
		}
	}
	if enc.Flush() != nil {
		return prefix + lines(doc)
	}
	return prefix + strings.ReplaceAll(lines(out.String()), "\n", "\n"+prefix)
}

// plain spells names with their prefixes, as they were on the wire.
func plain(t xml.Token) xml.Token {
	join := func(n xml.Name) xml.Name {
		if n.Space != "" {
			return xml.Name{Local: n.Space + ":" + n.Local}
		}
		return n
	}
	switch t := t.(type) {
	case xml.StartElement:
		t.Name = join(t.Name)
		for i := range t.Attr {
			t.Attr[i].Name = join(t.Attr[i].Name)
		}
		return t
	case xml.EndElement:
		t.Name = join(t.Name)
		return t
	case xml.CharData:
		return xml.CharData(bytes.TrimSpace(t))
	}
	return t
}
