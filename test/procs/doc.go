// Package procs runs the programs themselves, seqrflow and nats-server, as processes that a test may kill at any moment. What was
// recorded is checked by package rig, as in tests of one process.
//
//	programs.go  builds the programs
//	process.go   one run of a program; await.go waits for what it writes
//	broker.go    one nats-server, or three that form a cluster
//	worker.go    processes of workers, and their metrics
//	provider.go  a sandbox that notes when each invoice was polled
//	follow.go    counts the events of INVOICES as they come
//
// Everything listens on loopback and ends with the test, also when the test is ended by force.
package procs
