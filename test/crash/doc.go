// Package crash kills real worker processes and the broker, as kill -9 does, while buyers pay in real
// time, and proves that no payment is reversed, lost or paid back twice.
//
//	go test ./test/crash -v                                       a few hundred invoices
//	go test ./test/crash -v -timeout 20m -args -invoices 5000     the whole proof
package crash
