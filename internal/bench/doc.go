// Package bench measures seqrflow on the machine it runs on. Everything is real: the embedded broker that syncs each event to disk,
// SOAP over loopback HTTP, the workers. Only shops and buyers are played. At the end of the measurements with payments the history
// is checked and compared with the sandbox's ledger, so that a fast wrong run is an error and not a figure.
//
//	lifecycle.go  orders from `placed` to `receipted` per second
//	poll.go       punctuality of polling, and the time from a payment to its event; payments.go has the buyers
//	fairness.go   a healthy shop's latency beside silent terminals, a flood and a very large order
//	outage.go     what is tried while the provider is silent, and what follows
//	start.go      time to the first polls of a poller that starts
//	sandbox.go    status calls per second, and memory, of a sandbox in a process of its own (process.go)
//
//	fixture.go    the program with the components of one measurement; load.go places orders and follows their events
//	provider.go   providers that count, that are slow, or that are silent
//	quantiles.go  durations; memory.go and disk.go what the system tells of memory, processors and the disk
package bench
