package cli

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/sandbox"
)

type sandboxCmd struct {
	Listen    string        `env:"SEQRFLOW_SANDBOX_LISTEN" default:"127.0.0.1:8585" placeholder:"ADDR" help:"Where it answers (${default}); port 0 picks a free one."`
	BaseURL   string        `name:"base-url" env:"SEQRFLOW_SANDBOX_BASE_URL" placeholder:"URL" help:"How wallets reach it, if not by the listen address."`
	Data      string        `env:"SEQRFLOW_SANDBOX_DATA" type:"path" placeholder:"DIR" help:"Folder that keeps its state across restarts; without it, memory only."`
	Clock     string        `default:"real" enum:"real,manual" help:"real, or manual: time moves only by POST /clock/advance?d=25s."`
	Reversal  time.Duration `default:"20s" help:"A payment that no status call has fetched is reversed after this time."`
	Lifetime  time.Duration `default:"0s" help:"An unpaid invoice is EXPIRED after this time; 0 is never."`
	Seed      uint64        `default:"1" help:"Of faults with a probability, and of references."`
	LogLevel  string        `env:"SEQRFLOW_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	LogFormat string        `env:"SEQRFLOW_LOG_FORMAT" default:"auto" enum:"auto,json,console" help:"json (then nothing but log records is printed), console, or auto: console on a terminal."`
}

func (sandboxCmd) Help() string {
	return `A stand-in for the SEQR provider that any SOAP client takes for it: the merchant API, a wallet page for the buyer, a ledger, faults on demand. It needs no broker and no workers.

Examples:

    seqrflow sandbox
    seqrflow sandbox --data ./provider --clock manual`
}

// gcPercent trades some processor time for memory: a sandbox holds many small things for long.
const gcPercent = 50

func (s sandboxCmd) Run(c *console) error {
	log, err := logger(c.err, s.LogLevel, s.LogFormat)
	if err != nil {
		return err
	}
	l, url, err := app.Listen("--listen", s.Listen)
	if err != nil {
		return err
	}
	s.BaseURL = cmp.Or(s.BaseURL, url)
	sb, err := sandbox.New(sandbox.Config{ManualClock: s.Clock == "manual", BaseURL: s.BaseURL, Data: s.Data, Reversal: s.Reversal,
		Lifetime: s.Lifetime, Seed: s.Seed, Log: log})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	debug.SetGCPercent(gcPercent)
	failed := make(chan error, 1)
	end := app.Serve(l, sb, app.AnswerAnyTime, func(err error) { failed <- err })
	if s.LogFormat == jsonLog {
		log.Info().Str("endpoint", s.BaseURL+sandbox.Path).Msg("running")
	} else {
		s.welcome(c)
	}
	select {
	case err = <-failed:
	case <-c.ctx.Done():
	}
	return errors.Join(err, end(), sb.Close())
}

func (s sandboxCmd) welcome(c *console) {
	t, r := sandbox.DemoTerminals()[0], sandbox.DemoResellers()[0]
	u := strings.TrimSuffix(s.BaseURL, "/")
	c.say(`The sandbox stands in for the SEQR provider. Nothing here is real money.

  SOAP endpoint  %[1]s%[2]s
  WSDL           %[1]s%[2]s?wsdl
  terminal       %[3]s, password %[4]s (type TERMINALID)
  reseller       %[5]s, user %[6]s, password %[7]s (type RESELLERUSER)
  overview       %[1]s/
  ledger         %[1]s/ledger
  wallet         %[1]s/R<invoiceReference>, or: curl -X POST %[1]s/wallet/<invoiceReference>/pay
  faults         %[1]s/faults

A first invoice:

%[8]s
`, u, sandbox.Path, t.ID, t.Password, r.ID, r.UserID, r.Password, firstCurl(u, t))
	if s.Clock == "manual" {
		c.say("Time stands still. Move it: curl -X POST '%s/clock/advance?d=25s'\n", u)
	}
}

func firstCurl(url string, t sandbox.Terminal) string {
	return fmt.Sprintf(`curl -s %s%s -H 'Content-Type: text/xml; charset=utf-8' -H 'SOAPAction: ""' --data '
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<e:sendInvoice xmlns:e="http://external.interfaces.ers.seamless.com/"><context><channel>WS</channel>
<clientRequestTimeout>0</clientRequestTimeout><initiatorPrincipalId><id>%s</id><type>TERMINALID</type></initiatorPrincipalId>
<password>%s</password></context><invoice><acknowledgmentMode>NO_ACKNOWLEDGMENT</acknowledgmentMode><title>First try</title>
<totalAmount><currency>SEK</currency><value>10.00</value></totalAmount></invoice></e:sendInvoice></s:Body></s:Envelope>'`, url, sandbox.Path, t.ID, t.Password)
}
