// Package procs runs the programs themselves, seqrflow and nats-server, as processes that a test may
// kill at any moment, and keeps the books that such a test is judged by: who was asked about when, what
// every invoice's history says, and whether the provider's ledger agrees.
//
// Everything listens on loopback and ends with the test, also when the test is ended by force.
package procs
