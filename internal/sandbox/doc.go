// Package sandbox is a stand-in for the SEQR payment provider: the merchant's SOAP service, the buyer's wallet, and the
// ledger behind them, in one http.Handler.
//
// It keeps the provider's rules, above all those that cost money when a client misses them: a payment that is not fetched
// within twenty seconds goes back to the buyer, a refund that is sent twice is paid twice, a cancel may come too late. It
// shares no encoding code with the client in pkg/seqr, so that each checks the other.
//
// A call goes through the files in this order:
//
//	http.go        addresses
//	soap.go        reads the message: charset.go, element.go, envelope.go
//	faults.go      what is to go wrong on purpose; fault.go has the kinds
//	operations.go  the table of operations, from which wsdl.go also writes the WSDL; principal.go checks the password
//	op_*.go        the rules of each operation; invoice.go reads an invoice
//	sandbox.go     commit: the only way in which the state changes
//	journal.go     the effect on disk, one JSON object a line
//	store.go       the effect in memory, in the records of records.go
//	soap.go        writes the answer with writer.go
//
// The buyer acts by buyer.go, from Go or through the pages of wallet.go and pages.go. time.go does what time does to an
// invoice, on the real or manual clock of clock.go. notify.go tells the shop of a payment. ledger.go shows everything.
//
// An operation describes what happened as an effect, and commit writes and applies it. Replaying the written effects is how
// a sandbox gets its state back after a restart. All state is guarded by one mutex that is never locked during input or
// output; the slowest thing done under it is to encode one effect as JSON.
package sandbox
