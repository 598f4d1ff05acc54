// Package bench measures seqrflow on the machine it runs on: how many orders it takes through their
// whole life, how punctually it polls, how soon a payment becomes an event, and what the sandbox bears.
//
// Everything is real: the embedded broker that syncs each event to disk, SOAP over loopback HTTP, the
// workers. Only the shop and the buyers are played. What the played provider's own ledger says is
// compared at the end, so that a fast wrong run is an error and not a figure.
package bench
