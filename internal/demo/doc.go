// Package demo plays a day of a few shops against the whole program, in seconds. It checks that every order ends as its scenario
// says, that the state table allows every event, and that our events and the provider's ledger agree to the cent.
//
//	demo.go      starts the program, plays the scenarios and stops it
//	scenario.go  what the buyer and the shop of one order do, and how the order has to end; the built-in ones are in orders.ndjson
//	file.go      makes scenarios of a file of order events
//	player.go    publishes the shops' events and has the buyers act
//	result.go    how it all ended
//
// Nothing in it waits for a time: buyers and shops act on the event that their scenario names.
package demo
