package cli

import (
	"fmt"
	"strings"

	"github.com/go-xmlfmt/xmlfmt"

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
	return lines(strings.TrimPrefix(xmlfmt.FormatXML(doc, prefix, "  "), prefix+"\n"))
}
