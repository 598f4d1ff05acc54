// Package audit says whether what seqrflow has recorded is right. It reads every event of every invoice and needs the sandbox's
// ledger, so it serves the demo, the measurements and the tests; with a real provider the reconciler compares with its reports.
//
//	history.go  reads INVOICES and checks each event against the state table and the events before it
//	ledger.go   compares the last events with the provider's ledger, invoice by invoice
//	balance.go  adds up both sides by shop and currency
//	polls.go    notes how long each open invoice was not polled
package audit
