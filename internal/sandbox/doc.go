// Package sandbox is a stand-in for the SEQR payment provider: the merchant's SOAP service, the buyer's wallet,
// and the books behind them, in one http.Handler.
//
// It keeps the provider's rules, above all those that cost money when a client misses them: a payment nobody fetches
// within twenty seconds goes back to the buyer, a refund asked for twice is paid twice, a cancel may come too late.
// It shares no encoding code with the client in pkg/seqr, so that each checks the other.
//
// State changes in one way only: an operation describes what happened as an effect, [Sandbox.commit] writes it down and
// applies it. Replaying the written effects is how a restarted sandbox remembers.
//
// All state is behind one mutex that is never held during input or output; the slowest thing done under it is
// marshaling one effect.
package sandbox
