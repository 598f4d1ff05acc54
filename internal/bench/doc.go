// Package bench measures seqrflow on the machine it runs on. Everything is real: the embedded broker that syncs each event to disk,
// SOAP over loopback HTTP, the workers. Only shops and buyers are played. At the end of the measurements with payments the history
// is checked and compared with the sandbox's ledger, so that a fast wrong run is an error and not a figure.
//
//	lifecycle.go  orders from `placed` to `receipted` per second
//	poll.go       punctuality of polling, and the time from a payment to its event; payments.go has the buyers
//	fairness.go   a healthy shop's latency beside silent terminals, a flood and a very large order
//	outage.go     what is tried while the provider is silent, and what follows
//	start.go      time to the first polls of a poller that starts
//	hooks.go      webhooks of a shop until their invoices are issued, and how many a second on one processor
//	sandbox.go    status calls per second, and memory, of a sandbox in a process of its own (process.go)
//	checkout.go   memory of open checkout pages, and how soon they are told of a payment, of a gateway in a process of its own
//	deliveries.go a notifier while a shop's system is dead, and how fast the rest is sent; receiver.go is such a system, steady.go another shop
//
//	fixture.go    the program with the components of one measurement; load.go places orders and follows their events
//	provider.go   providers that count, that are slow, or that are silent
//	quantiles.go  durations; system.go what the system tells of memory, processors and the disk
package bench
