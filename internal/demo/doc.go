// Package demo plays a day of a few shops against the whole program, in seconds: it places orders,
// plays the buyers and the shops, and checks that every order ends as its story says and that our
// ledger and the provider's agree to the cent.
//
// Nothing in it waits for a time: buyers and shops act when an event says that it is their turn.
package demo
