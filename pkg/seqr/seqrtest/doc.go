// Package seqrtest is for tests of programs that talk to the SEQR merchant API.
//
// [Start] gives a test a provider of its own: the sandbox, on a free port of this machine, with credentials,
// a buyer and a clock that the test moves.
//
//	srv := seqrtest.Start(t)
//	shop := myshop.New(srv.Endpoint, srv.Terminal)
//	reference := shop.Checkout("149.50")
//	srv.Pay(reference)
//	srv.Advance(25 * time.Second) // nobody asked in time: the money goes back
//
// [Run] is the other way round: a suite of what any provider must do, the real one and the sandbox alike,
// for whoever has an endpoint to check. This package's own test aims it at the sandbox, or with flags at
// any other endpoint:
//
//	go test ./pkg/seqr/seqrtest -v -args -endpoint https://… -terminal ID -terminal-password-file FILE
//
// It makes payments of small sums, and refunds most of them. What needs a buyer, a reseller or a clock is
// skipped where the target has none; see [Target].
//
// It is the only package under pkg that uses one under internal, the sandbox: its users are tests in other
// modules, which can't reach the sandbox themselves. Nothing that a program links for production imports it.
package seqrtest
