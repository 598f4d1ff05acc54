// Package seqr is a client of the SEQR merchant API: SOAP 1.1 over HTTPS, one method per operation.
//
// Each operation has a request type of the same name. Its field As is the terminal or the reseller's user that makes
// the request:
//
//	client, err := seqr.New(seqr.Config{Endpoint: url, ClientID: "Example AB", ClientReference: "till/1.0"})
//	till := seqr.Terminal("87e7…", password)
//	sent, err := client.SendInvoice(ctx, seqr.SendInvoice{As: till, Invoice: invoice})
//
// A Client may be used by any number of goroutines.
//
// # Errors
//
// Every failed call returns an [*Error]. Its class says what to do next, and nothing else is needed to decide about
// money:
//
//   - [Refused]: the provider has done nothing, and will refuse the same request again. The functions whose names begin
//     with Is tell why, where a program can act on it.
//   - [TryAgain]: it was certainly not done: the request was never written, or the provider was busy. Repeat it after a
//     pause, whatever the operation.
//   - [TryLater]: what was asked for is not ready. Ask again in a few seconds.
//   - [Unknown]: it may have been done or not. Where [SafeToRepeat] holds, repeat it. Where it does not, find out
//     first: a refund that is repeated blindly pays twice.
//
// What a result code means to an operation is decided by one table. Callers ask [IsAlreadyPaid], [IsCredentialError],
// [IsUnanswered] and so on, and never compare codes.
//
// # Promises
//
// No request is ever written twice, neither by this package nor by net/http. An error says [NotSent] only when the
// provider can't have received a byte of the request. Redirects are not followed, no proxy is taken from the
// environment, and certificates are verified. Refunds and commits travel on connections of their own, so that none is
// left in doubt by an idle connection that the provider closes at that moment.
//
// A password or token never appears in an error or a recorded exchange, and a [Secret] prints as "***".
//
// # Files
//
// A call goes through these files: the operation's own (send_invoice.go and so on) describes its request and its
// answer; call.go makes it; encode.go writes the request; flight.go and transport.go send it, and know how much of it
// was written; body.go reads the answer's body; internal/soap decodes it; operations.go says what its
// result code means, and questions.go and error.go tell the caller; masking.go hides secrets in what is recorded.
package seqr
