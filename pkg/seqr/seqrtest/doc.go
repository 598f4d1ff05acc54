// Package seqrtest is for tests of programs that talk to the SEQR merchant API.
//
// [Start] starts a provider that one test has to itself: the sandbox, on a free port of this machine, with credentials, a
// buyer and a clock that the test moves (server.go).
//
//	srv := seqrtest.Start(t)
//	shop := myshop.New(srv.Endpoint, srv.Terminal)
//	reference := shop.Checkout("149.50")
//	srv.Pay(reference)
//	srv.Advance(25 * time.Second) // the shop asked too late: the payment is reversed
//
// A [Wallet] is the buyer of a sandbox that runs elsewhere.
//
// The test of this package is a suite of what every provider must do, the real one and the sandbox alike (suite_test.go and
// its other files). It runs on a sandbox, or with flags on any other endpoint:
//
//	go test ./pkg/seqr/seqrtest -v -args -endpoint https://… -terminal ID -terminal-password-file FILE
//
// The suite makes payments of small sums, and refunds most of them. A check that needs a buyer or a reseller is skipped
// where the target has none.
//
// This is the only package under pkg that imports one under internal, the sandbox: tests in other modules can't import
// that. No production code imports this package.
package seqrtest
