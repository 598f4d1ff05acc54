// Package certify runs the provider's certification procedure and keeps the evidence.
//
// The payment calls are not made here: the workers make them, as in production, in answer to the order events that the
// procedure publishes. Only a point of sale's terminal is registered directly.
//
//	certify.go     settings; Run
//	timeline.go    the time of a run with a sandbox of its own, whose clock is moved instead of waiting
//	run.go         starts the workers and runs the tests in order (procedure.go has the procedure's own step numbers)
//	exam_*.go      one test each; exam.go publishes orders, waits for events and exchanges, and notes each step
//	buyer.go       pays
//	transcript.go  everything that went over the wire, read by wire.go, and everything that the workers recorded
//	rules.go       what the messages have to be like
//	result.go      the verdicts; evidence.go writes them with the exchanges into a folder
package certify
