package certify

import (
	"context"
	"crypto/rand"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// registerTerminal tests that a reseller registers a terminal, which the other tests then use.
func registerTerminal(e *exam, ctx context.Context) {
	password := seqr.Secret(rand.Text())
	id, err := e.client.RegisterTerminal(ctx, seqr.RegisterTerminal{
		As: e.Provider.Reseller, ExternalTerminalID: "certify-" + e.id, Password: password, Name: "Certification " + e.id,
	})
	if err == nil {
		e.terminal = seqr.Terminal(id, password)
	}
	if x, ok := e.checkOwnCall("registerTerminal", err, "terminalId "+quoted(id)); ok {
		kind := x.request.word("context", "initiatorPrincipalId", "type")
		e.noteStep("a reseller's user asks for it", kind == string(seqr.Reseller), quoted(kind), x)
	}
}

// assignSeqrID tests that the till's code is assigned to the terminal.
func assignSeqrID(e *exam, ctx context.Context) {
	if e.terminal.ID == "" {
		noTerminal(e, ctx)
		return
	}
	err := e.client.AssignSeqrID(ctx, seqr.AssignSeqrID{As: e.terminal, SeqrID: e.Provider.SeqrID})
	e.checkOwnCall("assignSeqrId", err, "the till's code is "+seqr.StaticQRCode(e.Provider.SeqrID))
}

// unregisterTerminal tests that the terminal is unregistered.
func unregisterTerminal(e *exam, ctx context.Context) {
	err := e.client.UnregisterTerminal(ctx, seqr.UnregisterTerminal{As: e.terminal})
	e.checkOwnCall("unregisterTerminal", err, "terminal "+e.terminal.ID)
}

// checkOwnCall notes a call that the test itself has made.
func (e *exam) checkOwnCall(operation string, err error, detail string) (*recorded, bool) {
	calls := e.transcript.list(func(x *recorded) bool { return x.Operation == operation })
	if !e.noteResult(operation+" is accepted", err, detail, calls...) {
		return nil, false
	}
	e.checkRules(contextRules(calls), calls...)
	return calls[0], true
}
