// Package seqr is a client of the SEQR merchant API: SOAP 1.1 over HTTPS, one method per operation.
//
// Each operation has a request type of the same name, whose field As says who is asking:
//
//	client, err := seqr.New(seqr.Config{Endpoint: url, ClientID: "Example AB", ClientReference: "till/1.0"})
//	till := seqr.Terminal("87e7…", password)
//	sent, err := client.SendInvoice(ctx, seqr.SendInvoice{As: till, Invoice: invoice})
//
// # Errors
//
// Every failed call returns an [*Error]. Its class says what to do next, and nothing else needs to be
// looked at to decide about money:
//
//   - [Refused]: the provider said no, and will say no again. Tell somebody.
//   - [TryAgain]: it was certainly not done: the request was never written, or the provider was busy.
//     Repeat it after a pause, whatever the operation.
//   - [TryLater]: what was asked for is not ready. Ask again in a few seconds.
//   - [Unknown]: it may have been done or not. Where [SafeToRepeat] holds, repeat it. Where it does not,
//     find out first: a refund repeated blindly pays twice. A result code that an operation is not known to
//     give is no refusal either.
//
// One table (operations.go) decides what each code means to each operation. Callers ask it by [IsAlreadyPaid],
// [IsCredentialError], [IsUnanswered] and the like, and never compare codes.
//
// # What the client promises
//
// No request is ever written twice, neither by this package nor by net/http beneath it. An error says
// [NotSent] only when not a byte of the request can have reached anybody. Redirects are not followed, no
// proxy is taken from the environment, and certificates are verified. Refunds and commits travel on a
// connection of their own, so that an idle connection which the provider closes at that very moment can't
// leave money in doubt.
//
// A password or token never appears in an error or a recorded exchange, and a [Secret] prints as "***".
//
// A Client may be used by any number of goroutines.
package seqr
